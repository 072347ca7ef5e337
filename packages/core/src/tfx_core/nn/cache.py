"""What attention remembers between the calls of one decoding; typed state that is passed in, never kept in modules."""

from typing import Protocol

import torch
from torch import Tensor


class LayerCache(Protocol):
    """What one attention layer remembers."""

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Take the keys and values ``(B, H, T, d)`` of this call; return all to attend to, ``(B, H, S, d)``."""
        ...

    def stored(self) -> tuple[Tensor, Tensor] | None:
        """Keys and values that make projecting the source again needless, if there are any."""
        ...


class NoCache:
    """Remembers nothing."""

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """The same keys and values."""
        return key, value

    def stored(self) -> None:
        """Nothing."""


NO_CACHE = NoCache()


class SelfAttentionCache:
    """Keys and values of the tokens so far, in buffers that grow by doubling.

    A step then writes one column instead of copying the past. With gradients the parts are concatenated, since
    writing into a buffer would invalidate what the backward pass needs.
    """

    def __init__(self) -> None:
        self.length = 0
        self._key: Tensor | None = None
        self._value: Tensor | None = None

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Add ``(B, H, T, d)``; return views of all ``length`` keys and values."""
        start, self.length = self.length, self.length + key.shape[2]
        if torch.is_grad_enabled() and key.requires_grad:
            self._key = key if start == 0 else torch.cat((self._view(self._key, start), key), dim=2)
            self._value = value if start == 0 else torch.cat((self._view(self._value, start), value), dim=2)
            return self._key, self._value
        self._key = self._written(self._key, key, start)
        self._value = self._written(self._value, value, start)
        return self._view(self._key, self.length), self._view(self._value, self.length)

    def stored(self) -> None:
        """Nothing: every call brings new tokens."""

    def select(self, rows: Tensor) -> None:
        """Row ``i`` becomes what row ``rows[i]`` was; rows may repeat or be left out."""
        if self._key is not None and self._value is not None:
            self._key = self._view(self._key, self.length).index_select(0, rows)
            self._value = self._view(self._value, self.length).index_select(0, rows)

    def crop(self, length: int) -> None:
        """Forget all but the first ``length`` tokens."""
        self.length = min(self.length, length)

    def _written(self, buffer: Tensor | None, new: Tensor, start: int) -> Tensor:
        batch, heads, _, width = new.shape
        if buffer is None or buffer.shape[2] < self.length or buffer.requires_grad:
            # the first call allocates what it needs and a quarter more: most decodings end soon after their prompt
            capacity = self.length + max(64, self.length // 4) if buffer is None else max(self.length, 2 * start)
            grown = new.new_empty(batch, heads, capacity, width)
            if buffer is not None:
                grown[:, :, :start] = buffer[:, :, :start].detach()
            buffer = grown
        buffer[:, :, start : self.length] = new
        return buffer

    @staticmethod
    def _view(buffer: Tensor | None, length: int) -> Tensor:
        assert buffer is not None
        return buffer[:, :, :length]


class CrossAttentionCache:
    """Keys and values of the source, projected once and never repeated per beam."""

    def __init__(self) -> None:
        self._pair: tuple[Tensor, Tensor] | None = None

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Remember the source's ``(B, H, S, d)``."""
        self._pair = key, value
        return self._pair

    def stored(self) -> tuple[Tensor, Tensor] | None:
        """Keys and values of the source once they are known."""
        return self._pair

    def select(self, sources: Tensor) -> None:
        """Keep only these sources."""
        if self._pair is not None:
            self._pair = self._pair[0].index_select(0, sources), self._pair[1].index_select(0, sources)


class DecoderCache:
    """The caches of all layers of a decoder stack, and which of the remembered tokens are real.

    ``mask`` ``(R, S)`` is 1 where row ``r`` has a real token and 0 where it has padding or a token that was taken
    back; positions are counted in it, so rows of different lengths share one cache. ``rows_per_source`` is the number
    of adjacent rows (beams, samples) that attend to the same source.
    """

    def __init__(self, layers: int) -> None:
        self.self_attention = tuple(SelfAttentionCache() for _ in range(layers))
        self.cross_attention = tuple(CrossAttentionCache() for _ in range(layers))
        self.mask: Tensor | None = None
        self.padded: bool | None = False
        self.rows_per_source = 1

    @property
    def knows_source(self) -> bool:
        """Whether a source has been met, so that it need not be given again."""
        return self.cross_attention[0].stored() is not None

    @property
    def length(self) -> int:
        """Number of remembered tokens of every row, padding included."""
        return self.self_attention[0].length

    def extend_mask(self, new: Tensor, padded: bool | None) -> Tensor:
        """Append the ``(R, T)`` mask of this call's tokens; return the whole ``(R, S)`` mask.

        ``padded`` says whether ``new`` has zeros, ``None`` if that is not known.
        """
        if padded is not False:
            self.padded = padded or self.padded or None
        self.mask = new if self.mask is None else torch.cat((self.mask, new), dim=1)
        return self.mask

    def expand(self, copies: int) -> None:
        """Make ``copies`` adjacent rows of every row; what is known of the source is not copied."""
        assert self.mask is not None
        rows = torch.arange(len(self.mask), device=self.mask.device).repeat_interleave(copies)
        self.reorder(rows)

    def reorder(self, rows: Tensor) -> None:
        """Row ``i`` continues what row ``rows[i]`` was; rows stay with their source, equally many for each."""
        if self.mask is not None:
            self.rows_per_source = self.rows_per_source * len(rows) // len(self.mask)
        for layer in self.self_attention:
            layer.select(rows)
        if self.mask is not None:
            self.mask = self.mask.index_select(0, rows)

    def select(self, sources: Tensor) -> None:
        """Keep only these sources, with all their rows."""
        rows_per_source = self.rows_per_source
        offsets = torch.arange(rows_per_source, device=sources.device)
        self.reorder((sources[:, None] * rows_per_source + offsets).flatten())
        self.rows_per_source = rows_per_source
        for layer in self.cross_attention:
            layer.select(sources)

    def keep(self, counts: Tensor, of: int) -> None:
        """Of the last ``of`` tokens keep the first ``counts`` ``(R,)`` of each row."""
        assert self.mask is not None
        longest = self.length - of + int(counts.max())
        if int(counts.min()) < int(counts.max()):
            self.padded = True
        self.mask[:, self.length - of :] *= torch.arange(of, device=counts.device) < counts[:, None]
        self.mask = self.mask[:, :longest]
        for layer in self.self_attention:
            layer.crop(longest)
