"""Every input of every architecture is used as it is meant, or refused by name."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.cases import case_of, readers_of_text
from tests.models.labelled import SIDES, heads_with_a_loss, padded_batch, texts_of, tiny_model
from tests.models.tiny import random_ids, target_ids
from tfx_core.errors import InputError
from tfx_core.model import Model, TransformerBackbone, load_architecture
from tfx_core.nn import Embeddings

ARCHITECTURES = [spec.name for spec in readers_of_text()]
COMPARED_ONLY = {"xlnet": {"token_type_ids"}}
"""Inputs whose numbers are compared with each other and look nothing up, so that none is out of range."""
ANYWHERE = ("start_positions", "end_positions")
"""Labels that may lie outside of the text, and then do not count."""


def variants(model_type: str) -> Iterator[Model]:
    """A backbone of each variant that has one to compare, or where none has of each."""
    every = case_of(model_type).variants
    bare = [each for each in every if each.heads is None or "backbone" in each.heads]
    for each in bare or every:
        yield tiny_model(model_type, "backbone", **each.changes)


def stacks(model_type: str, *, stepwise: bool = False) -> list[TransformerBackbone]:
    """The parts of every variant that take positions, each as a backbone of its own; or of those that step exactly."""
    models = [each for each in variants(model_type) if not stepwise or case_of(model_type).stepwise(each.config)]
    found = [module for model in models for module in model.modules() if isinstance(module, TransformerBackbone)]
    assert found or "position_ids" not in models[0].input_names
    return found


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_tokens_in_another_order_at_their_own_positions_are_the_same(model_type: str) -> None:
    """Permuted, with positions and what may be seen permuted alike: each token's state is what it was."""
    if case_of(model_type).convolves:
        return
    order, ids = torch.tensor([3, 0, 5, 1, 4, 2]), random_ids(model_type, 2, 6)
    for stack in stacks(model_type):
        seen = torch.ones(6, 6).tril() if stack.causal else torch.ones(6, 6)
        pairs = seen[order][:, order].expand(2, -1, -1)
        moved = stack(ids[:, order], pairs, position_ids=order[None] + stack.first_position).last_hidden_state
        torch.testing.assert_close(moved, stack(ids).last_hidden_state[:, order], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_positions_are_those_of_real_tokens_in_any_batch(model_type: str, side: str) -> None:
    texts = texts_of(model_type, "sequence-classification")
    batch = padded_batch(texts, side)
    for stack in stacks(model_type):
        given = torch.full(batch["input_ids"].shape, 10**9)  # padding stands nowhere
        for row, text in enumerate(texts):
            given[row, text.columns(side)] = 2 * torch.arange(text.length) + stack.first_position
        together = stack(batch["input_ids"], batch["attention_mask"], position_ids=given).last_hidden_state
        for row, text in enumerate(texts):
            ids, own = text.inputs["input_ids"], given[row, text.columns(side)]
            apart = stack(ids, position_ids=own).last_hidden_state
            assert not torch.allclose(apart, stack(ids).last_hidden_state, atol=1e-3)
            torch.testing.assert_close(together[row : row + 1, text.columns(side)], apart, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_a_cache_goes_on_from_the_positions_that_were_given(model_type: str) -> None:
    ids, swapped = random_ids(model_type, 2, 7), torch.tensor([1, 0])
    for stack in stacks(model_type, stepwise=True):
        if not stack.causal:
            continue
        given = torch.tensor([[2, 3, 7, 8, 9, 10, 11], [0, 5, 6, 7, 8, 9, 10]]) + stack.first_position
        whole = stack(ids, position_ids=given).last_hidden_state
        first = stack(ids[:, :4], position_ids=given[:, :4], use_cache=True)
        cache = first.past_key_values
        cache.reorder(swapped)
        then = [stack(ids[swapped, 4:6], past_key_values=cache), stack(ids[swapped, 6:], past_key_values=cache)]
        parts = torch.cat([first.last_hidden_state, *(each.last_hidden_state[swapped] for each in then)], dim=1)
        torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_so_does_generation(model_type: str) -> None:
    generates = "causal-lm" in load_architecture(model_type).heads
    if not generates or "position_ids" not in tiny_model(model_type, "backbone").input_names:
        return
    for changes in {str(each.changes): each.changes for each in case_of(model_type).variants}.values():
        model = tiny_model(model_type, "causal-lm", **{**changes, "eos_token_id": None})
        if not case_of(model_type).stepwise(model.config):
            continue
        ids = random_ids(model_type, 2, 4)
        given = torch.tensor([[3, 4, 6, 7], [0, 1, 2, 9]]) + model.backbone.first_position
        made = model.generate(ids, position_ids=given, max_new_tokens=4)
        for _ in range(4):
            asked = case_of(model_type).asked(model, {"input_ids": ids, "position_ids": given})
            following = model(**asked).logits[:, -1].argmax(-1, keepdim=True)
            ids, given = torch.cat((ids, following), dim=1), torch.cat((given, given[:, -1:] + 1), dim=1)
        assert made.tolist() == ids.tolist()


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_positions_are_refused_where_they_are_not_read(model_type: str) -> None:
    model, ids = tiny_model(model_type, "backbone"), random_ids(model_type, 2, 6)
    target = target_ids(model_type, "backbone", 2)
    if "position_ids" not in model.input_names:
        with pytest.raises(TypeError, match=r"takes no 'position_ids': (it takes|did you mean 'decoder_)"):
            model(ids, position_ids=torch.arange(6), **target)
        return
    for wrong in (torch.arange(5), torch.arange(18).view(3, 6)):
        with pytest.raises(InputError, match=r"position_ids of shape \(.*\): these tokens ask for \(2, 6\)"):
            model(ids, position_ids=wrong)
    first, limit = model.backbone.first_position, model.max_positions
    if limit is None:  # they are computed, and go on
        far = torch.tensor([0, 1, 2, model.config.max_position_embeddings, 4, 5])
        assert not torch.equal(model(ids, position_ids=far)[0], model(ids, position_ids=far.clamp(max=9))[0])
        return
    for beside in (-1, limit):
        said = f"position_ids: {first + beside} is none of this model's; .* for {limit}, from {first} on"
        with pytest.raises(InputError, match=said):
            model(ids, position_ids=torch.tensor([0, 1, 2, beside, 4, 5]) + first)


MASKS = (None, torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1], [1] * 6]))


@pytest.mark.parametrize("mask", MASKS, ids=["whole", "padded"])
@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_an_input_of_another_shape_or_type_is_refused_by_name(model_type: str, mask: Tensor | None) -> None:
    """None is spread over the tokens, rows, heads or numbers that it is not of."""
    for model in variants(model_type):
        width, ids = int(model.config.hidden_size), random_ids(model_type, 4, 6)
        shapes: dict[str, list[tuple[int, ...]]] = {
            "attention_mask": [(), (6,), (1, 6), (4, 5), (4, 1, 6), (4, 1, 1, 6)],
            "decoder_inputs_embeds": [(4, 4, width - 1), (4, width), (4, 4, 1)],
            "encoder_attention_mask": [(6,), (4, 5), (1, 4), (4, 1)],
            "encoder_outputs": [(4, 6, width - 1), (4, 5), (2, 6, width)],
            "head_mask": [(), (1,), (7,), (1, 1, 1), (9, 4)],
            "langs": [(4, 2), (4, 7), (2, 6), (4, 6, 1), (4, 1), (1,)],
            "lengths": [(), (3,), (1,), (4, 6), (4, 1)],
            "inputs_embeds": [(4, 6, width - 1), (4, 6, 1), (4, width), (4, 6, 1, width)],
            "encoder_hidden_states": [(4, 5, width + 1), (4, width)],
            "mems": [(4, 5), (6,), (4, 2, width)],
            "perm_mask": [(6, 6), (1, 6, 6), (4, 6)],
            "target_mapping": [(4, 6), (1, 2, 6)],
            "token_type_ids": [(4, 2), (4, 7), (2, 6), (4, 6, 1), (4, 1), (1,)],
        }
        for name, wrong in shapes.items():
            if name not in model.input_names:
                continue
            target = {} if name.startswith("decoder_") else target_ids(model_type, "backbone", 4)
            inputs = {"input_ids": ids, "attention_mask": mask, **target}
            if name == "inputs_embeds":
                del inputs["input_ids"]
            if name == "encoder_attention_mask" and model.config.add_cross_attention:
                inputs["encoder_hidden_states"] = torch.zeros(4, 4, width)
            for shape in wrong:
                value = torch.zeros(shape, dtype=torch.long if name.endswith("_ids") else torch.float)
                with pytest.raises(InputError, match=NAMES_IN_ERRORS.get(name, rf"^{name}\b")):
                    model(**{**inputs, name: value})
        for name in ("input_ids", "attention_mask", "head_mask", "past_key_values"):
            if name in model.input_names:
                with pytest.raises(InputError, match=f"^{name} of type list: must be a "):
                    model(**{"input_ids": ids, name: [[1, 2, 3]]}, **target_ids(model_type, "backbone", 4))


NAMES_IN_ERRORS = {
    "decoder_inputs_embeds": "^(input|inputs_embeds) of shape",
    "encoder_outputs": "^(encoder_outputs of shape|attention_mask of shape|decoder_input_ids has 4 rows)",
    "head_mask": "^head mask of",
    "inputs_embeds": "^(input|inputs_embeds|attention_mask) of shape",
}


@pytest.mark.parametrize(("model_type", "head"), heads_with_a_loss())
def test_a_number_that_is_none_of_the_models_is_told_with_its_input(model_type: str, head: str) -> None:
    model, text = tiny_model(model_type, head), texts_of(model_type, head)[0]
    inputs = dict(text.inputs)
    inputs.pop("is_impossible", None)
    extra = {
        "token_type_ids": inputs["input_ids"] * 0,
        "langs": inputs["input_ids"] * 0,
        "decoder_input_ids": inputs["input_ids"],
    }
    inputs |= {name: x for name, x in extra.items() if name in model.input_names}
    if type(getattr(model.backbone, "embeddings", None)) is Embeddings:
        inputs.pop("token_type_ids", None)  # there are none, which is told without a number
    if "logits_positions" in model.input_names:
        places = torch.tensor([[0, 1], [0, 2]])
        for wrong in (99, -1):
            with pytest.raises(InputError, match=f"logits_positions: {wrong} is none of 0 to"):
                model(inputs["input_ids"], logits_positions=places.clone().index_fill(1, torch.tensor(1), wrong))
        with pytest.raises(InputError, match="logits_positions: a loss needs the logits of all positions"):
            model(inputs["input_ids"], labels=inputs["input_ids"], logits_positions=places)
    for name, value in inputs.items():
        if name.endswith("mask") or name in ANYWHERE or name in COMPARED_ONLY.get(model_type, ()):
            continue
        for wrong in (10**6, -7):
            changed = value.clone()
            changed.view(-1)[-1] = wrong
            with pytest.raises(InputError, match=rf"^{name}\b.*: (id )?{wrong} is (not|none)\b.* 0 to \d+"):
                model(**{**inputs, name: changed})


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_so_is_an_id_in_generation(model_type: str) -> None:
    spec = next(each for each in readers_of_text() if each.name == model_type)
    head = next((each for each in ("conditional-generation", "causal-lm") if each in spec.heads), None)
    if head is None:
        return
    model = tfx_core.new_model(model_type, head=head, seed=1, **case_of(model_type).tiny).eval()
    with pytest.raises(InputError, match=r"^input_ids is a list: write torch.tensor"):
        model.generate([[7, 8]])
    with pytest.raises(InputError, match=r"^attention_mask of type list: must be a torch.Tensor"):
        model.generate(torch.tensor([[7, 8]]), attention_mask=[[1, 1]])
    for wrong in (10**6, -7):
        with pytest.raises(InputError, match=f"^input_ids: id {wrong} is not one of this model's, 0 to 52"):
            model.generate(torch.tensor([[7, 8, wrong]]), max_new_tokens=2)
        if "decoder_input_ids" in model.input_names:
            with pytest.raises(InputError, match=f"^decoder_input_ids .*: id {wrong} is not one"):
                model.generate(
                    torch.tensor([[7, 8]]), decoder_input_ids=torch.tensor([[7, wrong]]), max_new_tokens=2
                )  # fmt: skip


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_an_id_as_label_of_a_decoder_is_told(model_type: str) -> None:
    model = tiny_model(model_type, "backbone")
    if "decoder_input_ids" not in model.input_names:
        return
    model, ids = tiny_model(model_type, "conditional-generation"), random_ids(model_type, 1, 4)
    with pytest.raises(InputError, match=r"^decoder_input_ids \(labels, .*\): id 77 is not one of this model's"):
        model(ids, labels=torch.tensor([[5, 77, 6]]))


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_an_answer_is_looked_for_in_what_the_decoder_reads(model_type: str) -> None:
    spec = next(each for each in readers_of_text() if each.name == model_type)
    if "question-answering" not in spec.heads:
        return
    model = tiny_model(model_type, "question-answering")
    if "decoder_input_ids" not in model.input_names:
        return
    ids, target = random_ids(model_type, 2, 6), random_ids(model_type, 2, 4, seed=3)
    source = {"input_ids": ids, "attention_mask": torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0]])}
    expected = model(**source, decoder_input_ids=target[:, :3]).start_logits
    mask = torch.tensor([[1, 1, 1, 0]] * 2)
    masked = model(**source, decoder_input_ids=target, decoder_attention_mask=mask).start_logits
    torch.testing.assert_close(masked[:, :3], expected)
    assert (masked[:, 3] == torch.finfo(masked.dtype).min).all()
    own = torch.tensor([[1, 1, 1, 1, 0, 0]] * 2)  # for the source as the decoder reads it
    shorter = model(**source, decoder_attention_mask=own).start_logits
    assert (shorter > torch.finfo(shorter.dtype).min).tolist() == own.bool().tolist()


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_vectors_in_the_place_of_ids_are_what_the_ids_stand_for(model_type: str) -> None:
    ids, target = random_ids(model_type, 2, 6), target_ids(model_type, "backbone", 2)
    for model in variants(model_type):
        expected = model(ids, **target).last_hidden_state
        vectors = model(inputs_embeds=model.backbone.embed(ids), **target).last_hidden_state
        torch.testing.assert_close(vectors, expected)


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_a_batch_may_be_padding_alone(model_type: str) -> None:
    """A row of it among others is computed, and so is a batch."""
    ids, target = random_ids(model_type, 2, 6), target_ids(model_type, "backbone", 2)
    for model in variants(model_type):
        states = model(ids, attention_mask=torch.zeros_like(ids), **target).last_hidden_state
        assert torch.isfinite(states).all()


@pytest.mark.parametrize(("model_type", "head"), heads_with_a_loss())
def test_types_of_numbers_are_taken_or_told(model_type: str, head: str) -> None:
    model, text = tiny_model(model_type, head), texts_of(model_type, head)[0]
    whole = {name: value for name, value in text.inputs.items() if not value.is_floating_point()}
    expected = model(**text.inputs).loss
    small = {name: value.int() if name.endswith(("_ids", "labels")) else value for name, value in whole.items()}
    torch.testing.assert_close(model(**{**text.inputs, **small}).loss, expected)
    for name in (each for each in whole if each.endswith("_ids")):
        for kind in (torch.float32, torch.bool, torch.int16):
            with pytest.raises(InputError, match=f"^{name} of type {kind}: must be whole numbers"):
                model(**{**text.inputs, name: whole[name].to(kind)})


@pytest.mark.parametrize(("model_type", "head"), heads_with_a_loss())
def test_a_mask_says_of_each_token_that_it_is_one_or_is_none(model_type: str, head: str) -> None:
    """An additive mask, 0 and -10000, would be read the wrong way round."""
    model, text = tiny_model(model_type, head), texts_of(model_type, head)[0]
    mask = torch.ones(text.inputs["input_ids"].shape)
    expected = model(**text.inputs).loss
    for kind in (torch.float32, torch.int64, torch.bool):
        torch.testing.assert_close(model(**{**text.inputs, "attention_mask": mask.to(kind)}).loss, expected)
    for wrong in (-1e4, 2, 0.5):
        masks = {"attention_mask": mask.flatten().index_fill(0, torch.tensor(1), wrong).view(mask.shape)}
        with pytest.raises(InputError, match=f"^attention_mask: {wrong:g} is neither 1 nor 0"):
            model(**{**text.inputs, **masks})


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_a_batch_of_padding_alone_has_states_that_are_numbers(model_type: str, packed: bool) -> None:
    model, ids = tiny_model(model_type, "backbone"), random_ids(model_type, 2, 6)
    model.packed = packed
    with torch.no_grad():
        targets = target_ids(model_type, "backbone", 2)
        states = model(ids, attention_mask=torch.zeros_like(ids), **targets).last_hidden_state
    assert bool(states.isfinite().all())


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_a_batch_of_padding_alone_gives_numbers(model_type: str) -> None:
    ids, target = random_ids(model_type, 2, 6), target_ids(model_type, "backbone", 2)
    for model in variants(model_type):
        states = model(ids, attention_mask=torch.zeros_like(ids), **target).last_hidden_state
        assert states.isfinite().all()


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_what_is_no_batch_of_ids_is_told_with_its_cure(model_type: str) -> None:
    ids, target = random_ids(model_type, 2, 6), target_ids(model_type, "backbone", 2)
    for model in variants(model_type):
        for given, cure in (
            ("a text", r"^input_ids of type str: .*; a model reads ids, which a tokenizer makes"),
            (["a text", "another"], r"^input_ids of type list: .*; a model reads ids, which a tokenizer makes"),
            ([[7, 8]], r"^input_ids of type list: must be a torch.Tensor; torch.tensor makes one"),
            (ids.numpy(), r"^input_ids of type ndarray: must be a torch.Tensor; .* torch.from_numpy"),
            ({"input_ids": ids}, r"^input_ids is a batch: write model\(\*\*batch\)"),
            (ids[0], r"^input of shape \(6,\): .*; one text is a batch of one, ids\[None\]"),
            (
                ids.to("meta"),
                r"^input_ids on meta: the model is on cpu; move one to the other: input_ids.to\(model.device\)",
            ),
        ):
            with pytest.raises(InputError, match=cure):
                model(given, **target)
        with pytest.raises(
            TypeError, match=r"only the ids may come without their name; write model\(ids, attention_mask"
        ):
            model(ids, torch.ones_like(ids), **target)
        with pytest.raises(
            TypeError, match=r"takes no 'labels': no loss of this model has them; .* load it with a head"
        ):
            model(ids, labels=ids, **target)


@pytest.mark.parametrize(("model_type", "head"), heads_with_a_loss())
def test_labels_that_are_no_tensor_are_told_with_their_cure(model_type: str, head: str) -> None:
    model, text = tiny_model(model_type, head), texts_of(model_type, head)[0]
    for name in (each for each in text.inputs if each == "labels" or each.endswith("_positions")):
        with pytest.raises(InputError, match=rf"^{name} of type list: must be a torch.Tensor; torch.tensor makes one"):
            model(**{**text.inputs, name: text.inputs[name].tolist()})
