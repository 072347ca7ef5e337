"""The order of segments."""

from tests.pretraining.texts import TWOFOLD, paged
from tfx_testing import ObjectiveCase

CASE = ObjectiveCase([paged(text) for text in TWOFOLD], {"length": 40}, {"initializer_range": 0.1}, steps=180)
