"""Gap sentences, and words."""

from tests.pretraining.case import ObjectiveCase
from tests.pretraining.texts import SENTENCES

CASE = ObjectiveCase(SENTENCES, {"length": 40, "target_length": 32})
