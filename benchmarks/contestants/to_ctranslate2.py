"""Converts a folder of random weights for CTranslate2: takes the folder and the one to write.

Models of random weights have no tokenizer; their tokens are the numbers of the vocabulary.
"""

import json
import sys
from pathlib import Path
from typing import Any

from ctranslate2.converters import TransformersConverter


class Numbers:
    """A tokenizer whose tokens are numbers, as far as a conversion asks for one."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.size = config["vocab_size"]
        end = config["eos_token_id"]
        self.bos_token = str(config.get("bos_token_id") or end)
        self.eos_token = self.unk_token = str(end)
        self.padding = config.get("pad_token_id") or 0
        self.pad_token = self.convert_ids_to_tokens(self.padding)

    def get_vocab(self) -> dict[str, int]:
        """Tokens to ids."""
        return {self.convert_ids_to_tokens(number): number for number in range(self.size)}

    def convert_ids_to_tokens(self, number: int) -> str:
        """The token of an id; padding that comes last by its name, for a Marian is converted without it."""
        return "<pad>" if number == self.padding == self.size - 1 else str(number)


class Converter(TransformersConverter):  # type: ignore[misc]
    """Reads a model without a tokenizer."""

    def load_tokenizer(self, tokenizer_class: object, model_name_or_path: str, **kwargs: object) -> Numbers:
        """The numbers of the vocabulary."""
        return Numbers(json.loads((Path(model_name_or_path) / "config.json").read_text(encoding="utf-8")))


if __name__ == "__main__":
    source, target = sys.argv[1:]
    Converter(source).convert(target, quantization="float32")
