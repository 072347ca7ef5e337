"""Texts of our architectures with the labels of any head, by their names; see `tfx_testing.labelled`."""

from tests.cases import case_of, readers_of_text
from tfx_core.model import Model
from tfx_testing import labelled, tiny
from tfx_testing.labelled import LENGTHS, SIDES, WIDTH, Text, padded_batch

__all__ = ["LENGTHS", "SIDES", "WIDTH", "Text", "heads_with_a_loss", "padded_batch", "texts_of", "tiny_model"]


def tiny_model(model_type: str, head: str, **changes: object) -> Model:
    """A tiny model with every parameter perturbed, norms and biases included."""
    return tiny.tiny_model(case_of(model_type), head, **changes)


def heads_with_a_loss() -> list[tuple[str, str]]:
    """Of every architecture."""
    return [(spec.name, head) for spec in readers_of_text() for head in spec.heads if labelled.has_loss(head)]


def texts_of(model_type: str, head: str) -> list[Text]:
    """A text of each length, of which equally many labels count: a batch's loss is the mean of theirs."""
    return labelled.texts_of(case_of(model_type), head)
