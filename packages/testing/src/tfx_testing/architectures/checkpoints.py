"""What is saved is loaded: the same model, the same bytes when it is saved again, and ties as they were."""

from pathlib import Path

import pytest
from torch import Tensor, nn

import tfx_core
from tfx_core.model import Model, load_architecture
from tfx_testing.architectures.base import CaseChecks, config_of, heads, tied_heads
from tfx_testing.checks import each
from tfx_testing.comparing import all_close, equal
from tfx_testing.folders import rewritten, same_files
from tfx_testing.tiny import new_model, parameters, perturbed, plain_results, ties, tiny_model


class CheckpointChecks(CaseChecks):
    """Saving and loading."""

    @each(head=heads)
    def test_saved_and_loaded_it_is_the_same(self, head: str, tmp_path: Path) -> None:
        """A loaded model has head, config, weights and ties of the saved one; saved again it is the same bytes.

        Where it has not: a rule of the weight table reads another tensor than it writes, a key of the config is not a
        field, or a tie is not among those of the head's plan.
        """
        model = tiny_model(self.case, head)
        model.save_pretrained(tmp_path / "first")
        again = tfx_core.load_model(tmp_path / "first")
        assert again.head_name == head, f"the folder is read as of head {again.head_name!r}"
        assert again.config.to_dict() == model.stored_config().to_dict(), "the config is another"
        equal(parameters(again), parameters(model), "parameters of the loaded model")
        assert ties(again) == ties(model), "other parameters share a tensor"
        again.save_pretrained(tmp_path / "second")
        same_files(tmp_path / "first", tmp_path / "second", "a loaded model, saved again")

    @each(head=tied_heads)
    @pytest.mark.parametrize("state", ["tied", "untied", "untied by hand", "equal by hand"])
    def test_saved_and_loaded_ties_outputs_and_files_are_as_before(self, head: str, state: str, tmp_path: Path) -> None:
        """Parameters that are one tensor are one again, those that are two, two, whatever the config said before.

        Where they are not: the head's plan does not name the pair in ``ties``, the stored one second, or ``forward``
        reads the table instead of its own layer, so that a layer that is untied has no effect.
        """
        made = new_model(self.case, head, tie_word_embeddings=state != "untied")
        perturbed(made, 2, 0.1)
        if state.endswith("by hand"):
            untie(made, 0.0 if state.startswith("equal") else 0.1)
        assert state in ("tied", "untied") or not any(tied(made)), "parameters that were set apart share a tensor"
        first, second = tmp_path / "first", tmp_path / "second"
        made.save_pretrained(first)
        again = tfx_core.load_model(first)
        again.save_pretrained(second)
        assert tied(again) == tied(made), f"whether these share a tensor: {made.ties}"
        all_close(plain_results(self.case, again), plain_results(self.case, made), state, rtol=1e-5, atol=1e-6)
        same_files(first, second, f"a model that is {state}, saved again")

    @each(head=tied_heads)
    def test_where_the_key_says_nothing_the_contents_decide(self, head: str, tmp_path: Path) -> None:
        """A file with two equal tensors is of one that is shared, with two that differ of two, if the config ties them.

        Where it is not: ``begins_tied`` or ``with_ties`` of the config is the architecture's own, and says otherwise.
        """
        config = config_of(type(self))
        if not type(config)().tie_word_embeddings:
            return
        made = new_model(self.case, head)
        name, to = load_architecture(self.case.model_type).plan(head).ties_of(config)[0]
        for noise in (0.0, 0.1):
            untie(made, noise)
            made.save_pretrained(tmp_path)
            rewritten(tmp_path, tie_word_embeddings=True)
            model = tfx_core.load_model(tmp_path)
            is_one = model.get_parameter(name) is model.get_parameter(to)
            assert is_one is (noise == 0), f"{name} and {to}, of which a file has two that differ by {noise}"


def tied(model: Model) -> list[bool]:
    """Of each pair that may share a tensor, whether it does."""
    return [model.get_parameter(name) is model.get_parameter(to) for name, to in model.ties]


def untie(model: Model, noise: float) -> None:
    """Give every parameter that shares a tensor one of its own, whose numbers are so much larger."""
    for name, to in model.ties:
        owner, _, attribute = name.rpartition(".")
        if model.get_parameter(name).shape == model.get_parameter(to).shape:
            own: Tensor = model.get_parameter(to).detach().clone()
            setattr(model.get_submodule(owner), attribute, nn.Parameter(own + noise))
