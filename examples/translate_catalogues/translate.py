"""Translate texts with the model and the memory that `train.py` has written."""

import argparse
from pathlib import Path

from near_duplicates import TranslationMemory
from pieces import beside
from training import translated

import tfx_core


def main() -> None:
    """Read the options, translate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="what train.py has written")
    parser.add_argument("texts", nargs="+")
    arguments = parser.parse_args()
    memory = TranslationMemory.read(arguments.folder / "memory.jsonl")
    model, tokenizer = tfx_core.load_model(arguments.folder), tfx_core.load_tokenizer(arguments.folder)
    texts = [beside(text, memory.nearest(text)) for text in arguments.texts]
    for translation in translated(model, tokenizer, texts):
        print(translation)


if __name__ == "__main__":
    main()
