"""Masked words in pairs of translations."""

from tests.pretraining.texts import COUNTED
from tfx_testing import ObjectiveCase
from tfx_training import Document, Part

CASE = ObjectiveCase(
    [Document((Part(text[:39], group="en"), Part(text[:39].upper(), group="fr"))) for text in COUNTED],
    {"length": 48},
    {"max_position_embeddings": 48},
    tokenizer={"lang2id": {"en": 0, "fr": 1}, "do_lowercase_and_remove_accent": False},
    steps=200,
)
