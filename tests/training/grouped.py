"""Tokenizers to which the groups of a corpus are something."""

from pathlib import Path

from tests.core.text.folders import VOCABULARY, read, write
from tfx_core import Tokenizer
from tfx_core.text import TextFacts
from tfx_core.text.recipes import wordpiece_recipe

SPECIAL = {f"{role}_token": f"[{role.upper()}]" for role in ("unk", "sep", "pad", "cls", "mask")}


def of_groups(folder: Path, codes: tuple[str, ...] = (), **options: object) -> Tokenizer:
    """A tokenizer with control codes or languages."""
    vocabulary = [*VOCABULARY, *codes]
    write(folder, {"vocab.txt": vocabulary, "tokenizer_config.json": options})
    facts = TextFacts("BertTokenizer", special_tokens=SPECIAL, control_codes=codes)
    return read(folder, wordpiece_recipe(facts, options={"lang2id": None}))
