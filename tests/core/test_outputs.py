"""Outputs: only what a call produced, with a hint for the rest."""

import pytest

from tfx_core.model.outputs import ModelOutput


def test_names_are_attributes_items_and_keys() -> None:
    output = ModelOutput(logits=1, pooler_output=None)
    assert (output.logits, output["logits"], list(output), "pooler_output" in output) == (1, 1, ["logits"], False)


def test_loss_is_none_without_labels() -> None:
    assert ModelOutput(logits=1).loss is None


def test_a_missing_name_says_what_there_is_and_how_to_ask() -> None:
    with pytest.raises(AttributeError, match="no 'attentions', only logits; ask for it with output_attentions=True"):
        _ = ModelOutput(logits=1).attentions
    with pytest.raises(KeyError, match="this output has logits"):
        _ = ModelOutput(logits=1)["other"]


def test_outputs_are_read_only_and_copied_with_more() -> None:
    output = ModelOutput(logits=1)
    with pytest.raises(AttributeError, match="read-only"):
        output.logits = 2
    assert (output.updated(loss=3).loss, output.loss) == (3, None)
