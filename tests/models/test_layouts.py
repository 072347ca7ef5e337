"""How released files lay tensors out: what each architecture's case lists is read, anything else is refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import tfx_core
from tests.cases import case_of, readers_of_text
from tests.models.labelled import tiny_model
from tests.models.test_configs import TIED_HEADS
from tests.models.tiny import tiny_config
from tfx_core.errors import CheckpointError, ConfigError
from tfx_core.model import Model

MODEL_TYPES = [spec.name for spec in readers_of_text()]
HEADS = [(spec.name, head) for spec in readers_of_text() for head in ("backbone", *spec.heads)]
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


@pytest.mark.parametrize(("model_type", "head"), TIED_HEADS)
def test_a_tensor_of_two_names_may_have_either_or_both(model_type: str, head: str, tmp_path: Path) -> None:
    model = tiny_model(model_type, head)
    tensors = model.state_dict_for_files()
    saved(model, tmp_path)
    names: dict[int, list[str]] = {}
    for name, tensor in tensors.items():
        names.setdefault(tensor.data_ptr(), []).append(name)
    several = [group for group in names.values() if len(group) > 1]
    assert several
    for without in ((), *(tuple({*group} - {name}) for group in several for name in group)):
        held = {
            name: tensor.clone(memory_format=torch.contiguous_format)
            for name, tensor in tensors.items()
            if name not in without
        }
        save_file(held, tmp_path / "model.safetensors")
        read = tfx_core.load_model(tmp_path)
        assert [*read.state_dict()] == [*model.state_dict()]
        for name, parameter in read.named_parameters(remove_duplicate=False):
            assert torch.equal(parameter, model.get_parameter(name)), name


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_one_error_lists_all_tensors_that_are_of_no_layout(model_type: str, tmp_path: Path) -> None:
    tensors = saved(tiny_model(model_type, "backbone"), tmp_path)
    save_file({**tensors, **{name: torch.zeros(2) for name in STRANGE}}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError) as caught:
        tfx_core.load_model(tmp_path)
    assert all(f"unexpected {name}" in str(caught.value) for name in STRANGE)


@pytest.mark.parametrize("model_type", MODEL_TYPES)
@pytest.mark.parametrize("more", [8, -8])
def test_a_table_of_another_size_than_the_config_says_is_one_error_with_both(
    model_type: str, more: int, tmp_path: Path
) -> None:
    model: Any = tiny_model(model_type, "backbone")
    model.resize_token_embeddings(model.config.vocab_size + more)
    saved(model, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    rows, said = config["vocab_size"], config["vocab_size"] - more
    (tmp_path / "config.json").write_text(json.dumps({**config, "vocab_size": said}), encoding="utf-8")
    with pytest.raises(CheckpointError, match=rf"^{tmp_path}: its tensors do not fit its config\.json") as caught:
        tfx_core.load_model(tmp_path)
    if isinstance(model.get_input_embeddings(), nn.Embedding):
        assert re.search(rf"is \({rows}, \d+\), .* needs \({said}, \d+\), for vocab_size={said}\n?", str(caught.value))


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_a_config_that_no_model_can_have_is_refused(model_type: str) -> None:
    refused = [*case_of(model_type).refused, ({"vocab_size": 0}, "vocab_size=0: must be an integer at least 1")]
    for values, said in refused:
        with pytest.raises(ConfigError, match=said):
            tfx_core.new_model(model_type, **{**tiny_config(model_type), **values})


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_a_config_that_says_decoder_makes_one_or_is_refused(model_type: str) -> None:
    config = {**tiny_config(model_type), "is_decoder": True}
    if any("is_decoder" in values and "must be false" in said for values, said in case_of(model_type).refused):
        with pytest.raises(ConfigError, match=r"^is_decoder=True: must be false: "):
            tfx_core.new_model(model_type, **config)
    else:
        assert tfx_core.new_model(model_type, **config).backbone.causal
