"""The two sides of a ranker: how questions, and how passages, become the input of a module, and that vectors."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from tfx_core.embedding import Passage, TextEncoder, Vectors
from tfx_retrieval.embedding import embed, embedding_text
from tfx_retrieval.probes import Encoder


class Rows(Protocol):
    """Makes of texts the input of a side's module, (N, …) a column; a tokenizer's call with its options is one."""

    def __call__(self, texts: Sequence[str], /) -> Mapping[str, Tensor]:
        """The input for these texts."""
        ...


class PassageRows(Protocol):
    """Makes of passages the input of their side's module, (N, …) a column."""

    def __call__(self, passages: Sequence[Passage], /) -> Mapping[str, Tensor]:
        """The input for these passages."""
        ...


class SentenceSide(nn.Module):
    """A sentence encoder as a module that learns, for questions (``"query"``) or for passages (``"document"``).

    What it learns is in the encoder, which `TextEncoder.save_pretrained` writes; both sides may have the same one. A
    text gets the prompt that the encoder's folder has for the side, and a passage is read as ``"topic: text"``.
    """

    def __init__(self, encoder: TextEncoder, side: Literal["query", "document"]) -> None:
        super().__init__()
        self.model = encoder.model
        self.stages = nn.ModuleList(encoder.stages)
        self._encoder = encoder
        self._prompt = encoder.query_prompt if side == "query" else encoder.document_prompt

    def rows(self, texts: Sequence[str] | Sequence[Passage]) -> Mapping[str, Tensor]:
        """The input for texts or passages; the ``questions`` or ``passages`` of `RankingBatches`."""
        plain = [text if isinstance(text, str) else embedding_text(text, topic_prefix=True) for text in texts]
        return self._encoder.tokenize(plain, prompt_name=self._prompt)

    def forward(self, **batch: Tensor) -> Tensor:
        """The vectors (N, D)."""
        return self._encoder.embed(batch, prompt_name=self._prompt)


class FixedSide(nn.Module):
    """Passages whose vectors stay as they are, so that an index of them does too while the question encoder learns.

    Each passage is encoded once, those given at the start together; ``progress`` hears how many are new.
    """

    def __init__(
        self, encoder: Encoder, passages: Sequence[Passage] = (), *, progress: Callable[[int], object] | None = None
    ) -> None:
        super().__init__()
        self._encoder = encoder
        self._known: dict[int, Vectors] = {}
        self._encode(passages, progress)

    def rows(self, passages: Sequence[Passage]) -> Mapping[str, Tensor]:
        """The vectors (N, D) themselves; the ``passages`` of `RankingBatches`."""
        self._encode(passages)
        return {"vectors": torch.from_numpy(np.stack([self._known[identity(passage)] for passage in passages]))}

    def forward(self, vectors: Tensor) -> Tensor:
        """The vectors (N, D)."""
        return vectors

    def _encode(self, passages: Sequence[Passage], progress: Callable[[int], object] | None = None) -> None:
        new = {name: passage for passage in passages if (name := identity(passage)) not in self._known}
        if new:
            encoded = embed(self._encoder, list(new.values()), topic_prefix=True, progress=progress)
            self._known.update(zip(new, encoded, strict=True))


def identity(passage: Passage) -> int:
    """A number of 63 bits for a passage's topic and text, the same in every process."""
    digest = hashlib.blake2b(f"{passage.topic}\0{passage.text}".encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little") >> 1
