"""GPT-2."""

from tests.models.tiny import tiny_config
from tests.parity.case import Variant

TINY = {**tiny_config("gpt2"), "num_labels": 3, "pad_token_id": 0}

VARIANTS = (
    Variant("standard", TINY),
)
