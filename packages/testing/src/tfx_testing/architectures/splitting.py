"""Layers under the names of files, one for each: the same results, the same files."""

from pathlib import Path

import torch
from torch import Tensor, nn

import tfx_core
from tfx_core.model import Model
from tfx_core.nn import SplitLinear
from tfx_testing.architectures.base import CaseChecks, heads
from tfx_testing.checks import each
from tfx_testing.comparing import all_close, equal
from tfx_testing.results import padded_texts, results_of_rows
from tfx_testing.tiny import ties, tiny_model


@each(head=heads)
class SplittingChecks(CaseChecks):
    """`tfx_core.Model.split_layers`, for adapters and tools that look for layers by their names in files."""

    def test_results_and_files_are_the_same(self, head: str, tmp_path: Path) -> None:
        """A model whose fused layers are apart computes the same, is saved as the same, and loads either's state.

        Where it does not: a fused layer is read by its ``weight``, not called, or its rule's parts are not its outputs
        in their order.
        """
        model = tiny_model(self.case, head)
        texts = padded_texts(self.case, "left")
        before, names, tied = results_of_rows(self.case, model, *texts), model.state_dict_for_files(), len(ties(model))
        assert model.split_layers() is model
        assert len(ties(model)) >= tied, "parameters were tied that were not"
        for row, (values, one) in enumerate(zip(results_of_rows(self.case, model, *texts), before, strict=True)):
            all_close(values, one, f"text {row}, after split_layers()")
        equal(model.state_dict_for_files(), names, "tensors for files, after split_layers()")
        model.save_pretrained(tmp_path / "saved")
        (tmp_path / "state").mkdir()
        torch.save(model.state_dict(), tmp_path / "state/pytorch_model.bin")
        for folder in ("saved", "state"):
            again = tfx_core.load_model(tmp_path / folder).state_dict_for_files()
            equal(again, names, f"tensors of what was {folder}, loaded")
        model.load_state_dict(names)
        model.load_state_dict(model.state_dict())

    def test_each_layer_is_called_as_it_is_in_files(self, head: str) -> None:
        """The layers have the last part of the names that the weight table gives their tensors.

        Where they have not: a rule names something else than layers with a ``.weight`` each.
        """
        model = tiny_model(self.case, head).split_layers()
        files = {name.split(".")[-2] for name in model.state_dict_for_files() if name.endswith(".weight")}
        called = {name for part in _split(model) for name, _ in part.named_children()}
        assert called <= files, f"layers with names that no file has: {sorted(called - files)}"

    def test_what_stands_in_the_place_of_a_layer_is_called(self, head: str) -> None:
        """What an adapter puts in the place of a layer takes part in every call.

        Where it does not: ``forward`` reads the weights of layers instead of calling them.
        """
        model = tiny_model(self.case, head)
        texts = padded_texts(self.case, "left")
        before, parts = results_of_rows(self.case, model, *texts), _split(model.split_layers())
        for part in parts:
            for name, layer in list(part.named_children()):
                part.add_module(name, _Louder(layer))
        after = results_of_rows(self.case, model, *texts)
        changed = any(not torch.allclose(value, after[0][name]) for name, value in before[0].items())
        assert changed or not parts, "layers that give half as much again change no result"


def _split(model: Model) -> list[SplitLinear]:
    return [part for part in model.modules() if isinstance(part, SplitLinear)]


class _Louder(nn.Module):
    """Stands for a layer, as an adapter does, and adds to what it gives."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.base_layer, self.out_features = layer, layer.out_features

    def forward(self, x: Tensor) -> Tensor:
        louder: Tensor = self.base_layer(x) * 1.5
        return louder
