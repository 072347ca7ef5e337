"""Fragments of a text, from before and from further before."""

from tfx_testing import ObjectiveCase
from tfx_training import Document

CASE = ObjectiveCase([Document.of("a b c d e f g h " * 5)] * 20, {"length": 25, "block": 12, "share": 0.4}, rate=1e-2)
