"""Layers under the reference's names, for every architecture and head: the same results, the same files."""

from pathlib import Path

import pytest
import torch

import tfx_core
from tests.models.test_models import CASES, batch, run
from tests.models.test_states import ties
from tests.models.tiny import perturbed, tiny_config
from tfx_core.model import Model
from tfx_core.nn import SplitLinear


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def model(request: pytest.FixtureRequest) -> Model:
    made = tfx_core.new_model(request.param[0], head=request.param[1], seed=1, **tiny_config(request.param[0])).eval()
    return perturbed(made, 2, 0.1)


def test_results_and_files_are_the_same(model: Model, tmp_path: Path) -> None:
    ids, mask = batch(model, "left")
    before, names, tied = run(model, ids, mask), model.state_dict_for_files(), len(ties(model))
    assert model.split_layers() is model
    assert any(isinstance(part, SplitLinear) for part in model.modules())
    assert len(ties(model)) >= tied
    for one, other in zip(before, run(model, ids, mask), strict=True):
        assert all(torch.allclose(value, other[name], rtol=1e-4, atol=1e-5) for name, value in one.items())
    after = model.state_dict_for_files()
    assert after.keys() == names.keys()
    assert all(torch.equal(tensor, names[name]) for name, tensor in after.items())
    model.save_pretrained(tmp_path / "saved")
    (tmp_path / "state").mkdir()
    torch.save(model.state_dict(), tmp_path / "state/pytorch_model.bin")
    for folder in ("saved", "state"):
        again = tfx_core.load_model(tmp_path / folder).state_dict_for_files()
        assert all(torch.equal(tensor, again[name]) for name, tensor in names.items())
    model.load_state_dict(names)
    model.load_state_dict(model.state_dict())


def test_each_layer_is_called_as_it_is_in_files(model: Model) -> None:
    model.split_layers()
    files = {name.split(".")[-2] for name in model.state_dict_for_files() if name.endswith(".weight")}
    called = {name for part in model.modules() if isinstance(part, SplitLinear) for name, _ in part.named_children()}
    assert called <= files


def test_what_stands_in_the_place_of_a_layer_is_called(model: Model) -> None:
    ids, mask = batch(model, "left")
    before = run(model, ids, mask)
    for part in [part for part in model.split_layers().modules() if isinstance(part, SplitLinear)]:
        for name, layer in list(part.named_children()):
            part.add_module(name, Louder(layer))
    after = run(model, ids, mask)
    assert any(not torch.allclose(value, after[0][name]) for name, value in before[0].items())
    assert any(isinstance(part, Louder) for part in model.modules())


class Louder(torch.nn.Module):
    """Stands for a layer, as an adapter does, and adds to what it gives."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.base_layer, self.out_features = layer, layer.out_features

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        louder: torch.Tensor = self.base_layer(x) * 1.5
        return louder
