"""The two tokenizers of a RAG's folder: that of questions and that of what is read and written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tfx_core.checkpoint import Folder, Subfolder, read_whole, taken_hub_options
from tfx_core.errors import CheckpointError
from tfx_core.model import load_tokenizer
from tfx_core.text import Tokenizer

OF_QUESTIONS, OF_GENERATOR = "question_encoder_tokenizer", "generator_tokenizer"
_NAMES = ("tokenizer_config.json", "tokenizer.json", "vocab.txt", "vocab.json", "spiece.model")


@dataclass(frozen=True)
class RagTokenizer:
    """A tokenizer for each side, in the subfolders that the reference's class of this name reads and writes."""

    question_encoder: Tokenizer
    generator: Tokenizer

    @classmethod
    def from_pretrained(cls, path: str | Path | Folder, **options: Any) -> Self:
        """Those of a folder or hub id; ``options`` are `tfx_core.checkpoint.HubOptions`."""
        return read_whole(path, cls._read, **taken_hub_options(options))

    @classmethod
    def _read(cls, folder: Folder) -> Self:
        return cls(*(side_tokenizer(folder, name) for name in (OF_QUESTIONS, OF_GENERATOR)))

    def save_pretrained(self, folder: str | Path) -> None:
        """Write both, beside whatever else the folder holds."""
        for name, tokenizer in ((OF_QUESTIONS, self.question_encoder), (OF_GENERATOR, self.generator)):
            tokenizer.save_pretrained(Path(folder) / name)


def has_side(folder: Folder, name: str) -> bool:
    """Whether a folder has a tokenizer of that side."""
    return any(folder.path(f"{name}/{file}") is not None for file in _NAMES)


def side_tokenizer(folder: Folder, name: str, provider: str | None = None) -> Tokenizer:
    """The tokenizer of a side; raises `CheckpointError` where there is none."""
    if not has_side(folder, name):
        raise CheckpointError(
            f"{folder.label}: there is no tokenizer in {name}/; RagTokenizer(question_encoder, generator)"
            ".save_pretrained(folder) writes both"
        )
    return load_tokenizer(Subfolder(folder, name), provider=provider)
