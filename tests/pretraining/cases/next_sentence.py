"""Next sentences."""

from tests.pretraining.case import ObjectiveCase
from tests.pretraining.texts import REPEATED, paged

CASE = ObjectiveCase([paged(text) for text in REPEATED], {"length": 27}, rate=1e-2, steps=120)
