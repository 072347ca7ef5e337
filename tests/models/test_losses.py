"""A loss is that of the texts, whatever the batch: for every head of every architecture."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.cases import readers_of_text
from tests.models.labelled import SIDES, Text, heads_with_a_loss, padded_batch, texts_of, tiny_model
from tfx_core.errors import InputError
from tfx_core.model import ModelOutput
from tfx_core.model.heads import IGNORED, classification_loss, next_labels, next_token_loss, token_loss
from tfx_core.plugins import ArchitectureSpec

HEADS = heads_with_a_loss()


def losses(output: ModelOutput) -> dict[str, Tensor]:
    return {name: output[name] for name in ("loss", "mc_loss") if name in output}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("model_type", "head"), HEADS)
def test_the_loss_of_a_padded_batch_is_that_of_its_texts(model_type: str, head: str, side: str) -> None:
    model, texts = tiny_model(model_type, head), texts_of(model_type, head)
    together = losses(model(**padded_batch(texts, side)))
    assert together
    alone = [losses(model(**text.inputs)) for text in texts]
    for name, loss in together.items():
        torch.testing.assert_close(loss, torch.stack([each[name] for each in alone]).mean())


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("spec", readers_of_text(), ids=lambda spec: spec.name)
def test_so_is_that_of_a_target_that_is_given(spec: ArchitectureSpec, side: str) -> None:
    if "conditional-generation" not in spec.heads:
        return
    model_type = spec.name
    model, texts = tiny_model(model_type, "conditional-generation"), texts_of(model_type, "conditional-generation")
    texts = [Text({**text.inputs, "decoder_input_ids": text.inputs["input_ids"]}) for text in texts]
    alone = torch.stack([model(**text.inputs).loss for text in texts])
    torch.testing.assert_close(model(**padded_batch(texts, side)).loss, alone.mean())


@pytest.mark.parametrize(("model_type", "head"), [case for case in HEADS if case[1].startswith("question-answering")])
def test_an_answer_in_padding_does_not_count(model_type: str, head: str) -> None:
    model, texts = tiny_model(model_type, head), texts_of(model_type, head)
    inputs = {name: x for name, x in padded_batch(texts, "left").items() if name != "is_impossible"}
    expected = model(**{name: x[:2] for name, x in inputs.items()}).loss
    for outside in (0, -1, 12, 99):  # padding of the last row, and beyond it
        places = {name: inputs[name].index_fill(0, torch.tensor(2), outside) for name in PLACES}
        torch.testing.assert_close(model(**{**inputs, **places}).loss, expected)


PLACES = ("start_positions", "end_positions")


@pytest.mark.parametrize(("model_type", "head"), HEADS)
def test_where_no_label_counts_the_loss_is_zero_with_gradients_and_a_warning(model_type: str, head: str) -> None:
    model, inputs = tiny_model(model_type, head), padded_batch(texts_of(model_type, head), "right")
    inputs.pop("is_impossible", None)
    for name in inputs:
        if "label" in name or name in PLACES:
            inputs[name] = torch.full_like(inputs[name], IGNORED)
    if head == "conditional-generation":
        inputs["decoder_input_ids"] = inputs["input_ids"]
    with pytest.warns(UserWarning, match=r"(labels|_label|_positions): none counts, for all are -100 or padding"):
        made = losses(model(**inputs))
    total = torch.stack(list(made.values())).sum()
    assert total.item() == 0
    total.backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert gradients
    assert not any(each.any() for each in gradients)


@pytest.mark.parametrize(("model_type", "head"), [*dict(reversed(HEADS)).items()])
def test_functions_of_parameters_have_the_same_gradients(model_type: str, head: str) -> None:
    """As `torch.func` takes them, for the gradients of each text for instance: of a head of each architecture."""
    model, text = tiny_model(model_type, head), texts_of(model_type, head)[0]
    trained = dict(model.named_parameters())
    expected = torch.autograd.grad(
        losses(model(**text.inputs))["loss"],
        [each for each in trained.values() if each.requires_grad],
        materialize_grads=True,
    )

    def loss(given: dict[str, Tensor]) -> Tensor:
        return losses(torch.func.functional_call(model, given, kwargs=text.inputs))["loss"]

    found = torch.func.grad(loss)({name: each.detach() for name, each in trained.items() if each.requires_grad})
    for mine, theirs in zip(found.values(), expected, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(("model_type", "head"), HEADS)
def test_labels_of_another_shape_or_type_are_refused_by_name(model_type: str, head: str) -> None:
    """None is spread over the rows or tokens that it is not of."""
    model, inputs = tiny_model(model_type, head), padded_batch(texts_of(model_type, head), "left")
    for name in inputs.keys() - {"input_ids", "attention_mask", "decoder_attention_mask"}:
        right = inputs[name]
        wrong: list[object] = [right[:1], torch.cat((right, right[:1])), right[0], torch.tensor(1), right.tolist()]
        wrong += [right[..., None, None], right[..., None].expand(*right.shape, 3)]
        if name != "is_impossible" and head != "sequence-classification":  # whose labels may be probabilities
            wrong += [right.float() + 0.5, right.bool()]
        for each in wrong:
            with pytest.raises(InputError, match=rf"^({name} of (shape|type)|decoder_input_ids has) "):
                model(**{**inputs, name: each})
        torch.testing.assert_close(losses(model(**{**inputs, name: right.int()})), losses(model(**inputs)))


@pytest.mark.parametrize("wrong", [IGNORED, 2, 1.5, float("nan")])
def test_several_classes_at_once_have_probabilities_for_labels(wrong: float) -> None:
    labels = torch.tensor([[0, 1.0], [0.5, wrong]])
    with pytest.raises(InputError, match=r"^labels: \S+ is none of 0 to 1"):
        classification_loss(torch.zeros(2, 2), labels, "multi_label_classification")


@pytest.mark.parametrize("loss", [next_token_loss, token_loss])
def test_losses_compile_without_a_break(loss: Callable[..., Tensor | None]) -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(3, 5, 7, generator=generator), torch.randint(0, 7, (3, 5), generator=generator)
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 0, 1, 1, 1], [1, 1, 1, 1, 1]]).bool()
    torch.compiler.reset()
    compiled = torch.compile(loss, backend="eager", fullgraph=True)
    for given in (None, mask):
        torch.testing.assert_close(compiled(logits, labels, given), loss(logits, labels, given))


def test_each_real_token_predicts_the_next_real_one() -> None:
    labels = torch.tensor([[1, 2, 3, 4, 5], [1, 2, 3, IGNORED, 5], [1, 2, 3, 4, 5]])
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 0, 1, 1, 1], [0, 0, 0, 1, 0]]).bool()
    no = IGNORED
    assert next_labels(labels, mask).tolist() == [[no, no, 4, 5, no], [3, no, no, 5, no], [no] * 5]
    assert next_labels(labels[:1]).tolist() == [[2, 3, 4, 5, no]]
