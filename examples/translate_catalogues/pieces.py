"""A vocabulary of subword pieces that source and target share, trained on both."""

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import tfx_core

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"
"""Ids 0, 1 and 2, as T5 has them."""


def trained(texts: Iterable[str], size: int) -> Tokenizer:
    """Byte-pair encoding (Sennrich et al. 2016) of words, single digits and single signs; blanks are ``▁``."""
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation(), pre_tokenizers.Digits(individual_digits=True)]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[PAD, END, UNKNOWN], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", pair=f"$A {END} $B {END}", special_tokens=[(END, 1)]
    )
    return tokenizer


def saved(tokenizer: Tokenizer, folder: Path, longest: int) -> tfx_core.Tokenizer:
    """Written as a T5 tokenizer without sentinels, and read back from there."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "T5TokenizerFast",
        "extra_ids": 0,
        "additional_special_tokens": [],
        "model_max_length": longest,
        "pad_token": PAD,
        "eos_token": END,
        "unk_token": UNKNOWN,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    return tfx_core.load_tokenizer(folder)
