"""Frozen models: of every head, with each type of packed weights; they give what plain ones do, and refuse to learn."""

from pathlib import Path
from typing import Any

import pytest
import torch

import tfx_core
from tests.models.labelled import tiny_model
from tests.models.test_dtypes import results, texts
from tests.models.test_generation import GENERATORS, prompts, start
from tests.models.test_outputs import HEADS
from tests.models.tiny import perturbed, texts_differ, tiny_config
from tfx_core.errors import InputError
from tfx_core.model import Model
from tfx_core.model.linears import kernel_named
from tfx_core.nn import packed_layers

TOLERANCE = {"float32": 1e-5, "bfloat16": 0.06, "int8": 0.15}
"""Of the largest number of a result, or of 1: the layers of tiny models are noise, which rounding changes most."""


def frozen(model: Model, name: str, folder: Path) -> Model:
    model.save_pretrained(folder)
    return tfx_core.load_model(folder, head=model.head_name, dtype=name, frozen=True)


@pytest.mark.parametrize(("model_type", "head"), HEADS)
def test_it_gives_what_a_plain_model_gives(model_type: str, head: str, tmp_path: Path) -> None:
    plain, given = tiny_model(model_type, head), texts(model_type, head)
    expected = [results(plain, text.inputs) for text in given]
    for name, tolerance in TOLERANCE.items():
        model = frozen(plain, name, tmp_path)
        assert model.frozen
        assert model.dtype == kernel_named(name).dtype
        for text, wide in zip(given, expected, strict=True):
            for key, found in results(model, text.inputs).items():
                error, largest = (found.float() - wide[key]).abs().max(), wide[key].abs().max().clamp(min=1)
                assert error <= tolerance * largest, f"{name}, {key}: {float(error / largest):.2g} of the largest"


@pytest.mark.parametrize(("model_type", "head"), HEADS)
def test_it_is_saved_as_what_it_was_and_refuses_to_learn(model_type: str, head: str, tmp_path: Path) -> None:
    plain = tiny_model(model_type, head)
    model = frozen(plain, "float32", tmp_path / "one")
    plain.load_state_dict(model.state_dict())
    plain.load_state_dict(model.state_dict_for_files())
    model.save_pretrained(tmp_path / "two")
    for file in (tmp_path / "one").iterdir():
        assert (tmp_path / "two" / file.name).read_bytes() == file.read_bytes(), file.name
    assert not any(each.requires_grad for each in model.parameters())
    changes = {
        "train": model.train,
        "requires_grad_": model.requires_grad_,
        "load_state_dict": lambda: model.load_state_dict({}),
        "tie_weights": model.tie_weights,
        "split_layers": model.split_layers,
        "prune_heads": lambda: model.prune_heads({0: [0]}),
        "another number of tokens": lambda: model.resize_token_embeddings(99),
    }
    for name, change in changes.items():
        with pytest.raises(InputError, match=f"^{name}: the weights of this model are packed for inference; load it"):
            change()
    with pytest.raises(InputError, match=r"to\(torch\.float16, cpu\): the weights of this model are packed for"):
        model.half()
    assert model.to("cpu").eval() is model
    rounded = frozen(model, "int8", tmp_path / "three")
    assert next(packed_layers(rounded), None) is not None
    with pytest.raises(InputError, match="load it with frozen=False and dtype='float32'"):
        rounded.train()
    for told in (lambda: rounded.save_pretrained(tmp_path / "four"), rounded.state_dict, rounded.state_dict_for_files):
        with pytest.raises(InputError, match="were rounded when they were packed; save, or train, what it was loaded"):
            told()


@pytest.mark.parametrize("search", [{}, {"num_beams": 3}], ids=["greedy", "beams"])
@pytest.mark.parametrize(("model_type", "head", "changes"), GENERATORS)
def test_it_writes_what_a_plain_model_writes(
    model_type: str, head: str, changes: dict[str, Any], search: dict[str, Any], tmp_path: Path
) -> None:
    plain = tfx_core.new_model(model_type, head=head, seed=1, **{**tiny_config(model_type), **changes}).eval()
    plain = perturbed(plain, 2, texts_differ)
    options = {"max_new_tokens": 7, "pad_token_id": 0, "decoder_start_token_id": start(plain), **search}
    expected = plain.generate(**prompts(plain), **options)
    assert torch.equal(frozen(plain, "float32", tmp_path).generate(**prompts(plain), **options), expected)
    assert frozen(plain, "int8", tmp_path).generate(**prompts(plain), **options).shape[0] == len(expected)
