"""Texts out of what noise left of them."""

from tests.pretraining.case import ObjectiveCase
from tests.pretraining.texts import SENTENCES

CASE = ObjectiveCase(SENTENCES, {"length": 40})
