"""Texts out of what noise left of them."""

from tests.pretraining.texts import SENTENCES
from tfx_testing import ObjectiveCase

CASE = ObjectiveCase(SENTENCES, {"length": 40})
