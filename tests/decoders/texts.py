"""Folders with tiny decoders that read and write bytes."""

from pathlib import Path
from typing import Any

import tfx_core
from tests.models.tiny import perturbed, tiny_config
from tfx_testing.byte_tokenizer import byte_ids, save_byte_tokenizer

SPECIAL = ("<end>", "<sep>", "<cls>")
IDS = byte_ids(SPECIAL)
MORE = {"xlnet": 2, "transfo-xl": 1}
"""How many tokens a family's tokenizer has besides: the ends of paragraphs and documents, formulas."""


def save(folder: Path, model_type: str, *, begins: bool = True, ends: bool = False, **config: Any) -> str:
    """Save a random model and its tokenizer.

    ``begins`` is whether ``<end>`` is also what a text begins with, ``ends`` whether texts get ``<sep> <cls>`` behind
    them, as XLNet's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size = len(IDS) + MORE.get(model_type, 0)
    settings = {**tiny_config(model_type), "vocab_size": size, "eos_token_id": 0, "bos_token_id": None, **config}
    if begins:
        settings["bos_token_id"] = 0
    model = tfx_core.new_model(model_type, head="causal-lm", seed=4, **settings).eval()
    perturbed(model, 5, 0.3).save_pretrained(folder)
    roles = {"eos_token": "<end>", "sep_token": "<sep>", "cls_token": "<cls>"}
    roles |= {"bos_token": "<end>"} if begins else {}
    save_byte_tokenizer(folder, SPECIAL, roles, "$A <sep> <cls>" if ends else None)
    return str(folder)
