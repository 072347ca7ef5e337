"""The second half of a text from its first."""

from tests.pretraining.texts import COUNTED
from tfx_testing import ObjectiveCase
from tfx_training import Document

CASE = ObjectiveCase(
    [Document.of(text[: len(text) // 2], text[len(text) // 2 :]) for text in COUNTED],
    {"length": 32, "target_length": 24},
    rate=1e-2,
    draws=False,
)
