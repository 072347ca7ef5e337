"""Folders with tiny encoder-decoders that read and write bytes."""

import json
from pathlib import Path
from typing import Any

import tfx_core
from tests.models.tiny import perturbed, tiny_config
from tfx_testing.byte_tokenizer import byte_ids, save_byte_tokenizer

SPECIAL = ("<pad>", "</s>", "<s>")
IDS = byte_ids(SPECIAL)
MORE = {"mt5": 100, "pegasus": 102, "t5": 100}
"""How many tokens a family's tokenizer has besides: T5's sentinels, what Pegasus's pretraining had."""


def save(folder: Path, model_type: str, *, task_settings: dict[str, Any] | None = None, **config: Any) -> str:
    """Save a random model and its tokenizer, which puts ``</s>`` behind a text.

    ``task_settings`` are the ``task_specific_params`` in its ``config.json``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    special = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2, "decoder_start_token_id": 1}
    settings = {**tiny_config(model_type), "vocab_size": len(IDS) + MORE.get(model_type, 0), **special, **config}
    model = tfx_core.new_model(model_type, head="conditional-generation", seed=4, **settings).eval()
    perturbed(model, 5, 0.3).save_pretrained(folder)
    if task_settings is not None:
        values = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**values, "task_specific_params": task_settings}))
    roles = {"pad_token": "<pad>", "eos_token": "</s>", "bos_token": "<s>", "model_max_length": 30}
    save_byte_tokenizer(folder, SPECIAL, roles, "$A </s>")
    return str(folder)
