"""How encoder-decoders write: what the state keeps of each source, and what leaves the batch."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.models.tiny import perturbed, random_ids, tiny_config
from tfx_core.errors import InputError
from tfx_core.model.model import Model
from tfx_core.model.outputs import ModelOutput

ROWS = 4
STARTS = {"bart": 2, "t5": 0}
LONGEST = 12
UNENDED = {"eos_token_id": None, "no_repeat_ngram_size": 1}
FORMS: dict[str, Callable[[Tensor], Any]] = {
    "output": lambda states: ModelOutput(last_hidden_state=states),
    "tensor": lambda states: states,
    "tuple": lambda states: (states,),
}


@pytest.fixture(params=list(STARTS))
def model(request: pytest.FixtureRequest) -> Model:
    """Sharp enough for texts that differ and end at different steps."""
    made = tfx_core.new_model(request.param, head="conditional-generation", seed=1, **tiny_config(request.param)).eval()
    return perturbed(made, 5, lambda name: 1.0 if "cross_attention" in name else 0.4)


def sources(model: Model) -> tuple[Tensor, Tensor]:
    ids = random_ids(model.config.model_type, ROWS, 6)
    mask = torch.ones_like(ids)
    mask[1, 4:] = mask[3, 2:] = 0
    return ids, mask


def ends(model: Model, ids: Tensor, mask: Tensor) -> list[int]:
    """Tokens that end the greedy texts at different steps: for each text one, at another place than the others'."""
    rows = model.generate(ids, attention_mask=mask, max_new_tokens=LONGEST, **UNENDED).tolist()
    return [row[2 + 2 * number] for number, row in enumerate(rows)]


@pytest.mark.parametrize("beams", [1, 3])
def test_finished_texts_leave_the_batch(model: Model, beams: int) -> None:
    ids, mask = sources(model)
    seen: list[int] = []
    hook = model.head.predictions.register_forward_hook(lambda module, given, output: seen.append(len(output)))
    options = {**UNENDED, "eos_token_id": ends(model, ids, mask), "max_new_tokens": LONGEST, "num_beams": beams}
    seen.clear()
    together = model.generate(ids, attention_mask=mask, early_stopping=beams > 1, **options)
    hook.remove()
    assert seen[0] == ROWS  # each source is read as one row
    assert seen[1:] == sorted(seen[1:], reverse=True)
    assert seen[-1] < ROWS * beams
    for row in range(ROWS):
        alone = model.generate(ids[row : row + 1, mask[row].bool()], early_stopping=beams > 1, **options)[0]
        assert together[row, : len(alone)].tolist() == alone.tolist()
        assert set(together[row, len(alone) :].tolist()) <= {model.config.pad_token_id}


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("masked", [False, True], ids=["all real", "padded"])
def test_an_encoded_source_takes_the_encoders_place(model: Model, form: str, masked: bool) -> None:
    ids, mask = sources(model)
    given = {"attention_mask": mask} if masked else {}
    with torch.no_grad():
        states = model.backbone.encoder(ids, **given).last_hidden_state
    calls: list[object] = []
    hook = model.backbone.encoder.register_forward_hook(lambda *each: calls.append(each))
    options = {"num_beams": 3, "max_new_tokens": 8, **given}
    found = model.generate(encoder_outputs=FORMS[form](states), **options)
    assert not calls
    assert torch.equal(found, model.generate(ids, **options))
    hook.remove()


def test_generated_logits_are_those_of_the_text_read_at_once(model: Model) -> None:
    ids, mask = sources(model)
    output = model.generate(
        ids, attention_mask=mask, max_new_tokens=8, **UNENDED,
        return_dict_in_generate=True, output_logits=True,
    )  # fmt: skip
    with torch.no_grad():
        whole = model(ids, attention_mask=mask, decoder_input_ids=output.sequences[:, :-1]).logits
    torch.testing.assert_close(torch.stack(output.logits, dim=1), whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_padded_source_is_translated_as_alone(model: Model, side: str) -> None:
    ids = random_ids(model.config.model_type, 1, 5)
    pad, width = model.config.pad_token_id, (3, 0) if side == "left" else (0, 3)
    padded = torch.nn.functional.pad(ids, width, value=pad)
    options = {"max_new_tokens": 8, "num_beams": 2}
    alone = model.generate(ids, **options)
    for given in ({}, {"attention_mask": (padded != pad).long()}):  # without one, padding is told by its token
        assert torch.equal(model.generate(padded, **given, **options), alone)


def test_a_given_beginning_is_continued_behind_the_start_token(model: Model) -> None:
    ids, mask = sources(model)
    beginning = random_ids(model.config.model_type, ROWS, 3, seed=9)[:, :2]
    found = model.generate(ids, attention_mask=mask, decoder_input_ids=beginning, max_new_tokens=4)
    start = torch.full((ROWS, 1), STARTS[model.config.model_type])
    assert torch.equal(found[:, :3], torch.cat((start, beginning), dim=1))


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("left", [1, 2])
def test_a_padded_beginning_is_continued_as_alone(model: Model, left: int, started: bool) -> None:
    """All rows are padded, so that no first column is a start token."""
    ids, mask = sources(model)
    beginning = random_ids(model.config.model_type, ROWS, 3, seed=9)[:, :2]
    if started:
        beginning = torch.cat((torch.full((ROWS, 1), STARTS[model.config.model_type]), beginning), dim=1)
    options = {"attention_mask": mask, "max_new_tokens": 4, "eos_token_id": None}
    alone = model.generate(ids, decoder_input_ids=beginning, **options)
    padded = torch.nn.functional.pad(beginning, (left, 1), value=7)
    real = torch.nn.functional.pad(torch.ones_like(beginning), (left, 1))
    found = model.generate(ids, decoder_input_ids=padded, decoder_attention_mask=real, **options)
    assert torch.equal(found[:, -alone.shape[1] :], alone)


def test_samples_of_one_source_share_what_was_read_of_it(model: Model) -> None:
    ids, mask = sources(model)
    seen: list[int] = []
    kv = model.backbone.decoder.stack.layers[-1].cross_attention.sublayer.projections.keys_values
    hook = kv.register_forward_hook(lambda module, given, output: seen.append(len(given[0])))
    found = model.generate(
        ids, attention_mask=mask, do_sample=True, seed=3, num_return_sequences=5, max_new_tokens=6,
        eos_token_id=None,
    )  # fmt: skip
    hook.remove()
    assert seen == [ROWS]
    assert found.shape == (5 * ROWS, 7)
    assert len({tuple(row) for row in found.tolist()}) > 5


@pytest.mark.parametrize("head", ["sequence-classification", "question-answering", "backbone"])
def test_a_head_without_a_vocabulary_cannot_generate(head: str) -> None:
    made = tfx_core.new_model("bart", head=head, seed=1, **tiny_config("bart"))
    with pytest.raises(InputError, match=f"head '{head}' cannot generate; load the model with head='conditional"):
        made.generate(random_ids("bart", 1, 4))


def test_nothing_to_read_is_an_error(model: Model) -> None:
    with pytest.raises(InputError, match="input_ids: give what the encoder is to read"):
        model.generate(max_new_tokens=3)
