"""Gap sentences, and words."""

from tests.pretraining.texts import SENTENCES
from tfx_testing import ObjectiveCase

CASE = ObjectiveCase(SENTENCES, {"length": 40, "target_length": 32})
