"""Next sentences."""

from tests.pretraining.texts import REPEATED, paged
from tfx_testing import ObjectiveCase

CASE = ObjectiveCase(
    [paged(text) for text in REPEATED], {"length": 27}, {"initializer_range": 0.1}, rate=5e-3, steps=150
)
