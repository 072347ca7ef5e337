"""Tokenizers of random models that read and write bytes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors


def byte_ids(special: Sequence[str]) -> dict[str, int]:
    """The vocabulary: special tokens, then one token for every byte."""
    return {token: number for number, token in enumerate([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())])}


def save_byte_tokenizer(
    folder: Path, special: Sequence[str], settings: Mapping[str, Any], template: str | None = None
) -> None:
    """Write ``tokenizer.json``, with what ``template`` puts around a text, and ``tokenizer_config.json``."""
    ids = byte_ids(special)
    tokenizer = Tokenizer(models.BPE(ids, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(special))
    if template is not None:
        around = [(token, ids[token]) for token in template.split() if token in special]
        tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=around)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = ["input_ids", "attention_mask"]
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": names, **settings})
    )
