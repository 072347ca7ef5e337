"""A loss is that of the texts, whatever the batch."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from tfx_core.model import ModelOutput
from tfx_core.model.heads import IGNORED
from tfx_testing.architectures.base import CaseChecks, learning_heads
from tfx_testing.checks import each
from tfx_testing.comparing import close
from tfx_testing.labelled import SIDES, Text, padded_batch, texts_of
from tfx_testing.refusing import refused
from tfx_testing.tiny import tiny_model

PLACES = ("start_positions", "end_positions")


def losses(output: ModelOutput) -> dict[str, Tensor]:
    """By name."""
    return {name: output[name] for name in ("loss", "mc_loss") if name in output}


def finders(cls: type[CaseChecks]) -> Sequence[str]:
    """The heads that find an answer in a text."""
    return [head for head in learning_heads(cls) if head.startswith("question-answering")]


def translators(cls: type[CaseChecks]) -> Sequence[str]:
    """The heads of an encoder-decoder whose labels are a target."""
    return [head for head in learning_heads(cls) if head == "conditional-generation"]


def one_learner(cls: type[CaseChecks]) -> Sequence[str]:
    """The first head that learns, for what does not depend on the head."""
    return learning_heads(cls)[:1]


class LossChecks(CaseChecks):
    """What heads learn from."""

    @each(head=learning_heads)
    @pytest.mark.parametrize("side", SIDES)
    def test_the_loss_of_a_padded_batch_is_that_of_its_texts(self, head: str, side: str) -> None:
        """The loss of a batch is the mean of those of its texts, wherever padding stands and whatever its labels are.

        Where it is not: padding's labels are counted, the mean divides by the number of columns, or a head reads a
        column where padding stands. `tfx_core.model.heads` has losses that take ``token_mask``.
        """
        model, texts = tiny_model(self.case, head), texts_of(self.case, head)
        together = losses(model(**padded_batch(texts, side)))
        assert together, f"head {head} gave no loss, though it had labels"
        alone = [losses(model(**text.inputs)) for text in texts]
        for name, loss in together.items():
            expected = torch.stack([each[name] for each in alone]).mean()
            close(loss, expected, f"{name} of texts padded on the {side}, beside the mean of each alone")

    @each(head=translators)
    @pytest.mark.parametrize("side", SIDES)
    def test_so_is_that_of_a_target_that_is_given(self, head: str, side: str) -> None:
        """With ``decoder_input_ids`` beside the labels, too, the loss of a batch is the mean of those of its texts.

        Where it is not: the mask of the target is made from its labels, or the decoder reads the labels
        whatever it is given.
        """
        model, texts = tiny_model(self.case, head), texts_of(self.case, head)
        texts = [Text({**text.inputs, "decoder_input_ids": text.inputs["input_ids"]}) for text in texts]
        alone = torch.stack([model(**text.inputs).loss for text in texts])
        found = model(**padded_batch(texts, side)).loss
        close(found, alone.mean(), f"the loss of targets padded on the {side}, beside the mean of each alone")

    @each(head=finders)
    def test_an_answer_in_padding_does_not_count(self, head: str) -> None:
        """A text whose answer lies in padding, or beyond all columns, is left out of the loss.

        Where it is not: such places are clamped or looked up; `tfx_core.model.heads.span_loss` leaves them out.
        """
        model, texts = tiny_model(self.case, head), texts_of(self.case, head)
        inputs = {name: x for name, x in padded_batch(texts, "left").items() if name != "is_impossible"}
        expected = model(**{name: x[:2] for name, x in inputs.items()}).loss
        for outside in (0, -1, 12, 99):  # padding of the last row, and beyond it
            places = {name: inputs[name].index_fill(0, torch.tensor(2), outside) for name in PLACES}
            found = model(**{**inputs, **places}).loss
            close(found, expected, f"the loss with one answer at {outside}, in padding, beside that without its text")

    @each(head=learning_heads)
    def test_where_no_label_counts_the_loss_is_zero_with_gradients_and_a_warning(self, head: str) -> None:
        """A batch in which no label counts teaches nothing, and training goes on with a warning.

        Where it does not: the mean over no labels is NaN; `tfx_core.model.heads.mean_of_counted` is 0 there.
        """
        model, inputs = tiny_model(self.case, head), padded_batch(texts_of(self.case, head), "right")
        inputs.pop("is_impossible", None)
        for name in inputs:
            if "label" in name or name in PLACES:
                if inputs[name].is_floating_point():  # of numbers and of several labels at once each counts
                    return
                inputs[name] = torch.full_like(inputs[name], IGNORED)
        if head == "conditional-generation":
            inputs["decoder_input_ids"] = inputs["input_ids"]
        with pytest.warns(UserWarning, match=r"(label|_positions).*: none counts, for all are -100 or padding"):
            made = losses(model(**inputs))
        total = torch.stack(list(made.values())).sum()
        assert total.item() == 0, f"the loss is {total.item()} where no label counts"
        total.backward()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        assert gradients, "the loss of no labels has no gradients: training in parallel waits for them forever"
        assert not any(each.any() for each in gradients), "the loss of no labels teaches something"

    @each(head=one_learner)
    def test_functions_of_parameters_have_the_same_gradients(self, head: str) -> None:
        """As `torch.func` takes them, for the gradients of each text for instance.

        Where they do not: a forward uses parameters that are not those that it is called with.
        """
        model, text = tiny_model(self.case, head), texts_of(self.case, head)[0]
        trained = dict(model.named_parameters())
        learnt = {name: each for name, each in trained.items() if each.requires_grad}
        expected = torch.autograd.grad(
            losses(model(**text.inputs))["loss"], list(learnt.values()), materialize_grads=True
        )

        def loss(given: dict[str, Tensor]) -> Tensor:
            output: ModelOutput = torch.func.functional_call(model, given, kwargs=text.inputs)
            return losses(output)["loss"]

        found = torch.func.grad(loss)({name: each.detach() for name, each in learnt.items()})
        for name, theirs in zip(learnt, expected, strict=True):
            close(found[name], theirs, f"the gradient of {name} by torch.func.grad, beside that of backward()")

    @each(head=learning_heads)
    def test_labels_of_another_shape_or_type_are_refused_by_name(self, head: str) -> None:
        """None is spread over the rows or tokens that it is not of.

        Where it is: check them with `tfx_core.model.heads.whole_labels` or `whole_places` before they are compared.
        """
        model, inputs = tiny_model(self.case, head), padded_batch(texts_of(self.case, head), "left")
        expected = losses(model(**inputs))
        for name in inputs.keys() - {"input_ids", "attention_mask", "decoder_attention_mask"}:
            right = inputs[name]
            wrong: list[object] = [right[:1], torch.cat((right, right[:1])), right[0], torch.tensor(1), right.tolist()]
            wrong += [right[..., None, None], right[..., None].expand(*right.shape, 3)]
            # labels of whole texts may be probabilities
            if not right.is_floating_point() and head != "sequence-classification":
                wrong += [right.float() + 0.5, right.bool()]
            for given in wrong:
                kind = f"{given.dtype} of shape {tuple(given.shape)}" if isinstance(given, Tensor) else "a list"
                what = f"{name}, {kind}, where {tuple(right.shape)} is right,"
                with refused(rf"^({name} of (shape|type)|decoder_input_ids has) ", what):
                    model(**{**inputs, name: given})
            for key, loss in losses(model(**{**inputs, name: right.int()})).items():
                close(loss, expected[key], f"{key} of {name} of 32 bits, beside that of 64")
