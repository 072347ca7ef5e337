"""The encoder of the command line: a text encoder with a token budget, which can tell what it will cut."""

from collections.abc import Callable, Sequence
from typing import Protocol

from tfx_core.embedding import TextEncoder, Vectors
from tfx_retrieval.probes import Encoder


class MeasuringEncoder(Encoder, Protocol):
    """An encoder that can tell what it will cut."""

    @property
    def limit(self) -> int | None:
        """Tokens of the longest text that is embedded whole; None where there is no limit."""
        ...

    def cuts(self, text: str) -> bool:
        """Say whether only the beginning of a text is embedded."""
        ...


class BudgetedEncoder:
    """A `TextEncoder` whose forward passes hold at most ``batch_tokens`` tokens; see `tfx_retrieval.probes.Encoder`."""

    def __init__(self, encoder: TextEncoder, batch_tokens: int | None = None) -> None:
        self._encoder = encoder
        self._batch_tokens = batch_tokens

    @property
    def limit(self) -> int | None:
        """Tokens of the longest text that is embedded whole; None where there is no limit."""
        return self._encoder.max_length

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self._encoder.dimension

    def encode_document(self, texts: Sequence[str], *, progress: Callable[[int], object] | None = None) -> Vectors:
        """Return one vector a text."""
        return self._encoder.encode_document(texts, batch_tokens=self._batch_tokens, progress=progress)

    def encode_query(self, texts: Sequence[str]) -> Vectors:
        """Return one vector a text."""
        return self._encoder.encode_query(texts, batch_tokens=self._batch_tokens)

    def cuts(self, text: str) -> bool:
        """Say whether only the beginning of a text is embedded."""
        if self.limit is None:
            return False
        return len(self._encoder.tokenizer(self._encoder.cased(text))["input_ids"]) > self.limit
