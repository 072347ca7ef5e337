"""Next sentences."""

from tests.pretraining.case import ObjectiveCase
from tests.pretraining.texts import REPEATED, paged

CASE = ObjectiveCase(
    [paged(text) for text in REPEATED], {"length": 27}, {"initializer_range": 0.1}, rate=5e-3, steps=150
)
