"""State dicts of every architecture and head: what others store of a model, and what they copy."""

import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import tfx_core
from tests.models.test_models import CASES
from tests.models.tiny import tiny_config
from tfx_core.checkpoint import open_folder, read_tensors
from tfx_core.errors import TfxError
from tfx_core.model import Model


def made(case: tuple[str, str], seed: int = 1) -> Model:
    return tfx_core.new_model(case[0], head=case[1], seed=seed, **tiny_config(case[0]))


def same(one: Model, other: Model) -> bool:
    pairs = zip(
        one.named_parameters(remove_duplicate=False), other.named_parameters(remove_duplicate=False), strict=True
    )
    return all(mine[0] == its[0] and torch.equal(mine[1], its[1]) for mine, its in pairs)


def ties(model: Model) -> list[tuple[str, ...]]:
    names: dict[int, tuple[str, ...]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names[id(parameter)] = (*names.get(id(parameter), ()), name)
    return list(names.values())


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    chosen: tuple[str, str] = request.param
    return chosen


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_a_saved_state_dict_is_a_checkpoint(case: tuple[str, str], file: str, tmp_path: Path) -> None:
    model = made(case)
    (save_file if file.endswith("safetensors") else torch.save)(model.state_dict(), tmp_path / file)
    again = tfx_core.load_model(tmp_path)
    assert again.head_name == case[1]
    assert same(again, model)
    assert ties(again) == ties(model)


def test_a_state_dict_has_each_tensor_once_and_loads_with_one_or_all_of_its_names(case: tuple[str, str]) -> None:
    model = made(case)
    state = model.state_dict()
    tensors = [tensor for name, tensor in state.items() if name != "_extra_state"]
    assert len({tensor.data_ptr() for tensor in tensors}) == len(tensors) == len(list(model.parameters()))
    every = {name: parameter.detach() for name, parameter in model.named_parameters(remove_duplicate=False)}
    for form in (state, every):
        again = made(case, seed=2)
        again.load_state_dict(form)
        assert same(again, model)
    lacking = dict(state)
    del lacking[next(name for name, *more in ties(model) if not more)]
    with pytest.raises(RuntimeError, match="Missing key"):
        again.load_state_dict(lacking)
    with pytest.raises(RuntimeError, match="no_such_name"):
        again.load_state_dict({**state, "no_such_name": torch.ones(1)})


def test_the_names_of_files_load_too(case: tuple[str, str], tmp_path: Path) -> None:
    model = made(case)
    names = model.state_dict_for_files()
    again = made(case, seed=2)
    again.load_state_dict(names)
    assert same(again, model)
    again.load_state_dict({**names, "no_such_name": torch.ones(1)}, strict=False)
    with pytest.raises(RuntimeError, match="no_such_name"):
        again.load_state_dict({**names, "no_such_name": torch.ones(1)})
    model.save_pretrained(tmp_path)
    assert read_tensors(open_folder(tmp_path)).keys() <= names.keys()


def test_a_copied_model_is_the_same_with_its_ties(case: tuple[str, str], tmp_path: Path) -> None:
    model = made(case)
    torch.save(model, tmp_path / "model.pt")
    for again in (copy.deepcopy(model), torch.load(tmp_path / "model.pt", weights_only=False)):
        assert type(again) is type(model)
        assert same(again, model)
        assert ties(again) == ties(model)
        assert not {id(each) for each in again.parameters()} & {id(each) for each in model.parameters()}


def test_a_tensor_of_another_shape_is_no_part_of_a_state(case: tuple[str, str]) -> None:
    model = made(case)
    state = model.state_dict_for_files()
    own = {each.untyped_storage().data_ptr() for each in model.parameters()}  # not what files have besides
    held = [each for each in state.values() if each.untyped_storage().data_ptr() in own and each.numel() > 1]
    for tensor in {each.data_ptr(): each for each in held}.values():
        damage = {name: each.flatten()[:1] for name, each in state.items() if each.data_ptr() == tensor.data_ptr()}
        with pytest.raises(TfxError, match="misshapen"):
            model.load_state_dict({**state, **damage})


def test_a_damaged_state_is_one_error(case: tuple[str, str], tmp_path: Path) -> None:
    state = made(case).state_dict()
    name = next(name for name, tensor in state.items() if tensor.dim() == 2)
    for damage in ({"_extra_state": torch.ones(3)}, {"_extra_state": torch.ones(3).byte()}, {name: torch.ones(1, 1)}):
        torch.save({**state, **damage}, tmp_path / "pytorch_model.bin")
        with pytest.raises(TfxError, match=r"_extra_state|misshapen"):
            tfx_core.load_model(tmp_path)
