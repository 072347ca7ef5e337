"""What a head is called with, and what a call of it gives: padded batches, a loss to learn from, results by name."""

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor

from tfx_core.model import Model, ModelOutput
from tfx_core.nn import Memory
from tfx_testing.cases import CHOICE_HEADS, ArchitectureCase, Inputs
from tfx_testing.comparing import close
from tfx_testing.labelled import Text, learns, padded_batch, texts_of
from tfx_testing.tiny import each_stream, target_ids, tiny_model

ASKED = {"output_hidden_states": True, "output_attentions": True}
"""Inputs that ask a call for all that it can report."""


def asked_of(model: Model) -> dict[str, bool]:
    """Of these what a model takes."""
    return {name: value for name, value in ASKED.items() if name in model.input_names}


_BARRED = 1e4
"""What a number is larger than that stands for minus infinity, in logits of places that cannot be an answer."""


def unlabelled_texts(case: ArchitectureCase, head: str) -> list[Text]:
    """Texts of different lengths as a head reads them, without labels."""
    made = texts_of(case, "multiple-choice" if head in CHOICE_HEADS else "sequence-classification")
    return [Text({name: each.inputs[name] for name in ("input_ids", "attention_mask")}) for each in made]


def inputs_of(case: ArchitectureCase, head: str, *, labels: bool = True) -> Inputs:
    """A batch padded on the right, with labels where the head has any and they are wanted."""
    if labels and learns(case, head):
        return padded_batch(texts_of(case, head), "right")
    made = padded_batch(unlabelled_texts(case, head), "right")
    return {**made, **target_ids(case, head, len(made["input_ids"]))}


def backbones(case: ArchitectureCase) -> Iterator[Model]:
    """A tiny backbone of each variant that has one to compare, or where none has of each."""
    bare = [each for each in case.variants if each.heads is None or "backbone" in each.heads]
    for each in bare or case.variants:
        yield tiny_model(case, "backbone", **each.changes)


def total(output: ModelOutput) -> Tensor:
    """The loss, or what stands for one: a number that depends on the results."""
    if output.loss is not None:
        return output.loss
    numbers = [each for each in output.values() if isinstance(each, Tensor) and each.is_floating_point()]
    if not numbers:
        raise AssertionError(f"a call gave no numbers to learn from, only {', '.join(output) or 'nothing'}")
    square: Tensor = numbers[0][numbers[0].abs() < _BARRED].square().mean()
    return square


def results(case: ArchitectureCase, model: Model, inputs: Inputs) -> dict[str, Tensor]:
    """By name what a call gives, each stream's its own; but those that say which answers are best.

    Of these two may be equally good.
    """
    target = target_ids(case, model.head_name, len(inputs["input_ids"]))
    output = model(**inputs, **target)
    found = {name: x.detach() for name, x in output.items() if isinstance(x, Tensor) and "_top_" not in name}
    if target or inputs["input_ids"].dim() == 3:
        return found
    parts = {name: each_stream(x, inputs["input_ids"].shape[1]) for name, x in found.items()}
    return {f"{name} {stream}": x for name, each in parts.items() for stream, x in enumerate(each)}


def real_places(output: ModelOutput, mask: Tensor) -> Tensor:
    """The mask of the tokens, or of the states where these are the result, and may be fewer."""
    return mask if output.token_mask is None or "last_hidden_state" not in output else output.token_mask


def same(found: Iterable[Any], expected: Iterable[Any], mask: Tensor, what: str) -> None:
    """Fail unless results are the same; where there is a place for each token, at those that are real in ``mask``.

    ``what`` says of what they are.
    """
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        if isinstance(other, Memory):
            assert isinstance(one, Memory), f"{what}: result {number} is a {type(one).__name__}, not a Memory"
            same(one.layers, other.layers, other.real.dense_mask, f"{what}: what is remembered")
            continue
        ours, theirs = (each_stream(each, mask.shape[1]) if mask.dim() == 2 else [each] for each in (one, other))
        for stream, wanted in zip(ours, theirs, strict=True):
            real = mask.bool() if stream.shape[: mask.dim()] == mask.shape else ...
            close(stream[real], wanted[real], f"{what}: result {number} of the output")
