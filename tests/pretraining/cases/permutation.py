"""Tokens in a random order."""

from tests.pretraining.texts import COUNTED
from tfx_testing import ObjectiveCase
from tfx_training import Document

CASE = ObjectiveCase(
    [Document.of(text) for text in COUNTED],
    {"length": 48, "reuse": 24, "permutation": 24, "predict": 10, "memory": 32},
    {"mem_len": 32, "reuse_len": 24},
    rate=1e-2,
)
