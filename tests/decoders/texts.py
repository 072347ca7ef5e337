"""Folders with tiny decoders that read and write bytes."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

import tfx_core
from tests.models.tiny import tiny_config

SPECIAL = ("<end>", "<sep>", "<cls>")
ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
IDS = {token: number for number, token in enumerate([*SPECIAL, *ALPHABET])}


def save(folder: Path, model_type: str, *, begins: bool = True, ends: bool = False, **config: Any) -> str:
    """Save a random model and its tokenizer.

    ``begins`` is whether ``<end>`` is also what a text begins with, ``ends`` whether texts get ``<sep> <cls>`` behind
    them, as XLNet's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = {**tiny_config(model_type), "vocab_size": len(IDS), "eos_token_id": 0, "bos_token_id": None, **config}
    if begins:
        settings["bos_token_id"] = 0
    model = tfx_core.new_model(model_type, head="causal-lm", seed=4, **settings).eval()
    with torch.no_grad():
        generator = torch.Generator().manual_seed(5)
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)
    model.save_pretrained(folder)
    tokenizer = Tokenizer(models.BPE(IDS, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    if ends:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="$A <sep> <cls>", special_tokens=[("<sep>", 1), ("<cls>", 2)]
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    roles = {"eos_token": "<end>", "sep_token": "<sep>", "cls_token": "<cls>"}
    roles |= {"bos_token": "<end>"} if begins else {}
    names = ["input_ids", "attention_mask"]
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": names, **roles})
    )
    return str(folder)
