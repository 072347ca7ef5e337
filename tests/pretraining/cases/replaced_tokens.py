"""Replaced tokens."""

from tests.pretraining.texts import COUNTED
from tfx_testing import ObjectiveCase
from tfx_training import Document, Part

CASE = ObjectiveCase([Document((Part(text, range(10, len(text), 10)),)) for text in COUNTED], {"length": 24})
