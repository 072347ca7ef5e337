"""Masked words."""

from tests.pretraining.texts import REPEATED
from tfx_testing import ObjectiveCase
from tfx_training import Document

CASE = ObjectiveCase([Document.of(text) for text in REPEATED], {"length": 24}, rate=1e-2)
