"""Tokenizer folders for tests: a small vocabulary taken from that of BERT, with whatever files a test adds."""

from collections.abc import Mapping
from pathlib import Path

from tfx_core.checkpoint import open_folder
from tfx_core.text import Recipe, TextFacts, Tokenizer, read_tokenizer
from tfx_core.text.recipes import wordpiece_recipe
from tfx_testing.vocabularies import write

DATA = Path(__file__).parent / "data"
VOCABULARY = (DATA / "vocab.txt").read_text(encoding="utf-8").splitlines()


BERT = wordpiece_recipe(
    TextFacts(
        "BertTokenizer",
        special_tokens={f"{role}_token": f"[{role.upper()}]" for role in ("unk", "sep", "pad", "cls", "mask")},
        model_input_names=("input_ids", "token_type_ids", "attention_mask"),
    )
)


def read(folder: Path, recipe: Recipe | None = BERT, **options: object) -> Tokenizer:
    return read_tokenizer(open_folder(folder), recipe, **options)


def small(folder: Path, config: Mapping[str, object] | None = None, **files: object) -> Tokenizer:
    """A tokenizer of the small vocabulary, with this ``tokenizer_config.json``."""
    write(folder, {"vocab.txt": VOCABULARY, "tokenizer_config.json": dict(config or {}), **files})
    return read(folder)
