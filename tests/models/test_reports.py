"""What a call reports is what it computed with: of every architecture, padded or not, with any kernel."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.cases import case_of, readers_of_text
from tests.models.labelled import SIDES, WIDTH, Text, padded_batch, texts_of, tiny_model
from tests.models.tiny import each_stream
from tfx_core.errors import InputError
from tfx_core.model import Model, ModelOutput
from tfx_core.nn import Observer, eager
from tfx_testing.cases import Inputs

ARCHITECTURES = [spec.name for spec in readers_of_text()]
ASKED = {"output_hidden_states": True, "output_attentions": True}


def texts(model_type: str) -> list[Text]:
    """Texts, with a target as long where there is a decoder."""
    made = texts_of(model_type, "sequence-classification")
    if not case_of(model_type).target_heads:
        return [Text({name: x for name, x in text.inputs.items() if name != "labels"}) for text in made]
    return [
        Text({
            "input_ids": text.inputs["input_ids"],
            "attention_mask": text.inputs["attention_mask"],
            "decoder_input_ids": text.inputs["input_ids"].flip(-1),
            "decoder_attention_mask": text.inputs["attention_mask"],
        })
        for text in made
    ]  # fmt: skip


def streams(model_type: str, inputs: Inputs) -> Inputs:
    """With every place as one to predict as well, where the architecture has two streams."""
    more = case_of(model_type).optional_inputs("backbone", inputs["input_ids"])
    return {**inputs, **{name: x for name, x in more.items() if name == "target_mapping"}}


def reported(output: ModelOutput) -> Iterator[tuple[str, Tensor]]:
    """The states and weights of a call, each stream's its own."""
    for name, value in output.items():
        if name.endswith(("hidden_states", "attentions")):
            for each in value:
                yield from ((name, one) for one in (each if isinstance(each, tuple) else (each,)))


def of_text(name: str, value: Tensor, row: int, columns: Tensor, *, by_key: bool) -> Tensor:
    """A padded batch's states ``(B, S, D)`` or weights ``(B, H, T, S)``, those of the tokens of one text."""
    value = value[row : row + 1]
    for axis in (1,) if name.endswith("states") else (2, 3) if by_key else (2,):
        remembered = value.shape[axis] - WIDTH  # before the text
        if remembered >= 0:  # else they are fewer than tokens, and begin with the first one's
            value = value.index_select(axis, torch.cat((torch.arange(remembered), columns + remembered)))
    return value


def gradients(model: Model, inputs: Inputs, real: Tensor) -> list[tuple[str, Tensor | None]]:
    """Of the last states of real tokens with respect to everything that the call reports."""
    output = model(**inputs, **ASKED)
    names, values = zip(*reported(output), strict=True)
    tokens = real.shape[1]
    last = [state for name, state in output.items() if name.startswith("last_hidden_state")]
    total = sum((each[real].square().sum() for state in last for each in each_stream(state, tokens)), torch.zeros(()))
    found = zip(names, torch.autograd.grad(total, values, allow_unused=True), strict=True)
    return [(name, one) for name, value in found for one in parts(name, value, tokens)]


def parts(name: str, value: Tensor | None, tokens: int) -> Sequence[Tensor | None]:
    """What is reported of each stream: states ``(B, T, D)``, weights ``(B, H, T, S)``, those of its own keys apart."""
    if value is None or name.endswith("states"):
        return [None] if value is None else each_stream(value, tokens)
    if value.dim() == 5:
        return [keys for stream in value.unbind(1) for keys in stream.split(tokens, dim=3)]
    return value.split(tokens, dim=2) if value.shape[2] % tokens == 0 else [value]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_gradients_reach_what_is_reported(model_type: str, side: str) -> None:
    model, given = tiny_model(model_type, "backbone"), texts(model_type)
    batch = padded_batch(given, side)
    mask = batch.get("decoder_attention_mask", batch["attention_mask"]).bool()
    for make in (lambda _, inputs: inputs, streams):
        together = gradients(model, make(model_type, batch), mask)
        for row, text in enumerate(given):
            alone = gradients(model, make(model_type, text.inputs), torch.ones(1, text.length, dtype=torch.bool))
            for (name, ours), (_, theirs) in zip(together, alone, strict=True):
                # nothing reads what the content stream has in the end, where another one predicts
                assert (ours is None) == (theirs is None)
                assert ours is not None or make is streams
                if ours is not None and theirs is not None:
                    by_key = case_of(model_type).weights_by_key
                    found = of_text(name, ours, row, text.columns(side), by_key=by_key)
                    found = found[tuple(map(slice, theirs.shape))]
                    torch.testing.assert_close(found, theirs, rtol=1e-3, atol=1e-4, msg=f"{name} of row {row}")


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_the_kernel_of_a_call_is_the_one_that_reports(model_type: str) -> None:
    def sharper(*of_call: Any, scale: float, **how: Any) -> Tensor:
        return eager(*of_call, scale=2 * scale, **how)

    model, inputs = tiny_model(model_type, "backbone"), padded_batch(texts(model_type), "left")
    mask = inputs["attention_mask"].bool()
    usual = model(**inputs).last_hidden_state[mask]
    model.attention = sharper
    plain = model(**inputs).last_hidden_state[mask]
    assert not torch.allclose(plain, usual, atol=1e-3)
    heads = torch.ones(model.config.num_attention_heads)
    for asked in (ASKED, {"head_mask": heads}):
        torch.testing.assert_close(model(**inputs, **asked).last_hidden_state[mask], plain)


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_a_kernel_that_reports_nothing_is_refused_where_something_is_asked_of_it(model_type: str) -> None:
    def silent(*of_call: Any, observer: Observer | None, **how: Any) -> Tensor:
        return eager(*of_call, **how)

    model, inputs = tiny_model(model_type, "backbone"), texts(model_type)[0].inputs
    model.attention = silent
    assert model(**inputs, output_hidden_states=True).last_hidden_state.isfinite().all()
    for asked in ({"output_attentions": True}, {"head_mask": torch.ones(model.config.num_attention_heads)}):
        with pytest.raises(InputError, match=r"kernel shows its weights to nobody; .* attention='eager'"):
            model(**inputs, **asked)
