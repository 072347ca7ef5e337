"""Translate texts with what `train.py` has written: the memory where a known text is alike enough, else the model."""

import argparse
from pathlib import Path

from near_duplicates import TranslationMemory, together
from training import translated

import tfx_core


def main() -> None:
    """Read the options, translate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="what train.py has written")
    parser.add_argument("texts", nargs="+")
    arguments = parser.parse_args()
    memory, likeness = TranslationMemory.read(arguments.folder / "memory.jsonl")
    model, tokenizer = tfx_core.load_model(arguments.folder), tfx_core.load_tokenizer(arguments.folder)
    answers = translated(model, tokenizer, arguments.texts)
    for translation in together(map(memory.nearest, arguments.texts), answers, likeness):
        print(translation)


if __name__ == "__main__":
    main()
