"""Folders with tiny encoder-decoders that read and write bytes."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

import tfx_core
from tests.models.tiny import tiny_config

SPECIAL = ("<pad>", "</s>", "<s>")
ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
IDS = {token: number for number, token in enumerate([*SPECIAL, *ALPHABET])}


def save(folder: Path, model_type: str, *, task_settings: dict[str, Any] | None = None, **config: Any) -> str:
    """Save a random model and its tokenizer, which puts ``</s>`` behind a text.

    ``task_settings`` are the ``task_specific_params`` in its ``config.json``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    special = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2, "decoder_start_token_id": 1}
    settings = {**tiny_config(model_type), "vocab_size": len(IDS), **special, **config}
    model = tfx_core.new_model(model_type, head="conditional-generation", seed=4, **settings).eval()
    with torch.no_grad():
        generator = torch.Generator().manual_seed(5)
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)
    model.save_pretrained(folder)
    if task_settings is not None:
        values = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**values, "task_specific_params": task_settings}))
    tokenizer = Tokenizer(models.BPE(IDS, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    roles = {"pad_token": "<pad>", "eos_token": "</s>", "bos_token": "<s>", "model_max_length": 30}
    names = ["input_ids", "attention_mask"]
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": names, **roles})
    )
    return str(folder)
