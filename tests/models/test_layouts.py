"""How released files lay tensors out: what each architecture's case lists is read, anything else is refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import tfx_core
from tests.cases import case_of
from tests.models.labelled import tiny_model
from tests.models.tiny import tiny_config
from tfx_core.errors import CheckpointError, ConfigError
from tfx_core.model import Model
from tfx_core.plugins import registry

MODEL_TYPES = [spec.name for spec in registry.architectures()]
HEADS = [(spec.name, head) for spec in registry.architectures() for head in ("backbone", *spec.heads)]
STRANGE = ("strange.weight", "embeddings.strange")


def saved(model: Model, folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of the folder that the model is saved in."""
    model.save_pretrained(folder)
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize(("model_type", "head"), HEADS, ids=str)
@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_every_layout_gives_the_same_model(model_type: str, head: str, file: str, tmp_path: Path) -> None:
    model = tiny_model(model_type, head)
    tensors = saved(model, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    for lay_out in (dict, *case_of(model_type).layouts.values()):
        laid = lay_out(tensors)
        if file.endswith(".bin"):
            torch.save(laid, tmp_path / file)
        else:
            save_file(laid, tmp_path / file)
        read = tfx_core.load_model(tmp_path)
        assert read.head_name == head
        for name, parameter in model.state_dict().items():
            if isinstance(parameter, torch.Tensor):
                assert torch.equal(read.state_dict()[name], parameter), name


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_one_error_lists_all_tensors_that_are_of_no_layout(model_type: str, tmp_path: Path) -> None:
    tensors = saved(tiny_model(model_type, "backbone"), tmp_path)
    save_file({**tensors, **{name: torch.zeros(2) for name in STRANGE}}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError) as caught:
        tfx_core.load_model(tmp_path)
    assert all(f"unexpected {name}" in str(caught.value) for name in STRANGE)


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_a_config_that_no_model_can_have_is_refused(model_type: str) -> None:
    refused = [*case_of(model_type).refused, ({"vocab_size": 0}, "vocab_size=0: must be an integer at least 1")]
    for values, said in refused:
        with pytest.raises(ConfigError, match=said):
            tfx_core.new_model(model_type, **{**tiny_config(model_type), **values})
