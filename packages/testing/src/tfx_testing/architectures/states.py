"""State dicts: what others store of a model, and what they copy."""

import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import tfx_core
from tfx_core.checkpoint import open_folder, read_tensors
from tfx_core.errors import TfxError
from tfx_testing.architectures.base import CaseChecks, heads
from tfx_testing.checks import each
from tfx_testing.comparing import equal
from tfx_testing.refusing import refused
from tfx_testing.tiny import new_model, parameters, ties


@each(head=heads)
class StateChecks(CaseChecks):
    """State dicts and copies."""

    @pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
    def test_a_saved_state_dict_is_a_checkpoint(self, head: str, file: str, tmp_path: Path) -> None:
        """A file of ``model.state_dict()`` alone is loaded: it has the config beside the tensors.

        Where it is not: a module has a tensor in its state that is no parameter, or a config does not survive
        ``from_dict(config.to_dict())``.
        """
        model = new_model(self.case, head)
        (save_file if file.endswith("safetensors") else torch.save)(model.state_dict(), tmp_path / file)
        again = tfx_core.load_model(tmp_path)
        assert again.head_name == head, f"the state is read as of head {again.head_name!r}"
        equal(parameters(again), parameters(model), "parameters of the loaded model")
        assert ties(again) == ties(model), "other parameters share a tensor"

    def test_a_state_dict_has_each_tensor_once_and_loads_with_one_or_all_of_its_names(self, head: str) -> None:
        """A tied tensor stands in the state under one name, is loaded under any, and a missing one is told.

        Where not: parameters are tied by hand, and not by the ``ties`` of the head's plan.
        """
        model = new_model(self.case, head)
        state = model.state_dict()
        tensors = [tensor for name, tensor in state.items() if name != "_extra_state"]
        once = len({tensor.data_ptr() for tensor in tensors})
        assert once == len(tensors) == len(list(model.parameters())), "a tensor stands there twice"
        again = new_model(self.case, head, seed=2)
        for form in (state, parameters(model)):
            again = new_model(self.case, head, seed=2)
            again.load_state_dict(form)
            equal(parameters(again), parameters(model), "parameters after load_state_dict")
        lacking = dict(state)
        del lacking[next(name for name, *more in ties(model) if not more)]
        with pytest.raises(RuntimeError, match="Missing key"):
            again.load_state_dict(lacking)
        with pytest.raises(RuntimeError, match="no_such_name"):
            again.load_state_dict({**state, "no_such_name": torch.ones(1)})

    def test_the_names_of_files_load_too(self, head: str, tmp_path: Path) -> None:
        """``load_state_dict`` takes the names of files as well as the model's own, and the files have no others.

        Where not: a rule of the weight table works in one direction only.
        """
        model = new_model(self.case, head)
        names = model.state_dict_for_files()
        again = new_model(self.case, head, seed=2)
        again.load_state_dict(names)
        equal(parameters(again), parameters(model), "parameters after load_state_dict of the names of files")
        again.load_state_dict({**names, "no_such_name": torch.ones(1)}, strict=False)
        with pytest.raises(RuntimeError, match="no_such_name"):
            again.load_state_dict({**names, "no_such_name": torch.ones(1)})
        model.save_pretrained(tmp_path)
        more = read_tensors(open_folder(tmp_path)).keys() - names.keys()
        assert not more, f"the file has names that state_dict_for_files() has not: {sorted(more)}"

    def test_a_copied_model_is_the_same_with_its_ties(self, head: str, tmp_path: Path) -> None:
        """``copy.deepcopy`` and ``torch.save`` of a whole model copy all of it, and nothing is shared with the first.

        Where not: a module holds another's parameter outside of its own attributes, in a function or a list.
        """
        model = new_model(self.case, head)
        torch.save(model, tmp_path / "model.pt")
        for again in (copy.deepcopy(model), torch.load(tmp_path / "model.pt", weights_only=False)):
            assert type(again) is type(model)
            equal(parameters(again), parameters(model), "parameters of the copy")
            assert ties(again) == ties(model), "other parameters share a tensor"
            first = {id(one): name for name, one in model.named_parameters()}
            shared = [first[id(one)] for one in again.parameters() if id(one) in first]
            assert not shared, f"the copy has these of the first itself: {shared}"

    def test_a_tensor_of_another_shape_is_no_part_of_a_state(self, head: str) -> None:
        """A tensor of another shape is an error, of whichever parameter.

        Where it is none: a rule's ``view`` gives a shape that any tensor has.
        """
        model = new_model(self.case, head)
        state = model.state_dict_for_files()
        own = {one.untyped_storage().data_ptr() for one in model.parameters()}  # not what files have besides
        held = [one for one in state.values() if one.untyped_storage().data_ptr() in own and one.numel() > 1]
        for tensor in {one.data_ptr(): one for one in held}.values():
            damage = {name: one.flatten()[:1] for name, one in state.items() if one.data_ptr() == tensor.data_ptr()}
            what = f"a tensor of one number as {' and '.join(sorted(damage))}"
            with refused("misshapen", what, TfxError):
                model.load_state_dict({**state, **damage})

    def test_a_damaged_state_is_one_error(self, head: str, tmp_path: Path) -> None:
        """A file of a state whose config or tensors are damaged is refused in words.

        Where it is not: the config accepts what it cannot be.
        """
        state = new_model(self.case, head).state_dict()
        name = next(name for name, tensor in state.items() if tensor.dim() == 2)
        damages = {"_extra_state": torch.ones(3)}, {"_extra_state": torch.ones(3).byte()}, {name: torch.ones(1, 1)}
        for damage in damages:
            torch.save({**state, **damage}, tmp_path / "pytorch_model.bin")
            with refused(r"_extra_state|misshapen", f"a state with {damage}", TfxError):
                tfx_core.load_model(tmp_path)
