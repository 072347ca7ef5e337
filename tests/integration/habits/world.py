"""Tiny models in folders, for the habits to be tried on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tfx_core
from tests.cases import case_of
from tfx_testing.byte_tokenizer import byte_ids, save_byte_tokenizer

SPECIAL = ("[PAD]", "[BOS]", "[EOS]", "[CLS]", "[SEP]", "[MASK]")
VOCABULARY = len(byte_ids(SPECIAL))
ADDED = {"t5": 100}
"""Tokens that a family's tokenizer has besides."""


class World:
    """Each folder holds a model with random weights and a tokenizer of bytes; made on first use."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, model_type: str = "bert", head: str = "backbone", **config: Any) -> Path:
        """A checkpoint; the same arguments give the same folder, which nobody may change."""
        name = "-".join([model_type, head, *(f"{key}={value}" for key, value in sorted(config.items()))])
        folder = self.root / name
        if not folder.exists():
            made = tfx_core.new_model(model_type, head=head, seed=1, **{**self.tiny(model_type), **config})
            made.save_pretrained(folder)
            save_byte_tokenizer(folder, SPECIAL, TOKENS, "[CLS] $A [SEP]" if model_type == "bert" else None)
        return folder

    def tiny(self, model_type: str) -> Mapping[str, Any]:
        """The keys of a small config, with the tokenizer's ids."""
        ids = byte_ids(SPECIAL)
        special = {"pad_token_id": ids["[PAD]"], "bos_token_id": ids["[BOS]"], "eos_token_id": ids["[EOS]"]}
        return {**case_of(model_type).tiny, **special, "vocab_size": VOCABULARY + ADDED.get(model_type, 0)}

    def model(self, model_type: str = "bert", head: str = "backbone", **config: Any) -> tfx_core.Model:
        """A model of its own, which may be changed."""
        return tfx_core.load_model(self.folder(model_type, head, **config))

    def tokenizer(self, model_type: str = "bert") -> tfx_core.Tokenizer:
        """Its tokenizer, which may be changed."""
        return tfx_core.load_tokenizer(self.folder(model_type))

    def batch(self, model_type: str = "bert", texts: tuple[str, ...] = ("one text", "another, longer one")) -> Any:
        """Padded inputs of a model."""
        return self.tokenizer(model_type)(list(texts), padding=True, return_tensors="pt")


TOKENS = {
    "pad_token": "[PAD]", "bos_token": "[BOS]", "eos_token": "[EOS]", "cls_token": "[CLS]", "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}  # fmt: skip
