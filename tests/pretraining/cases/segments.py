"""Segments that follow one another."""

from tests.pretraining.texts import COUNTED
from tfx_testing import ObjectiveCase
from tfx_training import Document

CASE = ObjectiveCase([Document.of(text) for text in COUNTED], {"length": 12}, draws=False)
