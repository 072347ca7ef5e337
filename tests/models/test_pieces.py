"""Large batches: what every head gives when its feed-forward layers read a few tokens at a time."""

import pytest
import torch

from tests.models.labelled import tiny_model
from tests.models.test_dtypes import results, texts
from tests.models.test_outputs import HEADS
from tfx_core.nn import pieces


@pytest.mark.parametrize(("model_type", "head"), HEADS)
def test_pieces_give_what_all_tokens_at_once_do(model_type: str, head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, given = tiny_model(model_type, head), texts(model_type, head)
    expected = [results(model, text.inputs) for text in given]
    monkeypatch.setattr(pieces, "TOKENS", 1)
    for text, whole in zip(given, expected, strict=True):
        for key, found in results(model, text.inputs).items():
            torch.testing.assert_close(found, whole[key], msg=lambda message, key=key: f"{key}: {message}")
