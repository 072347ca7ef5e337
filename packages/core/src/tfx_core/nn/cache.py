"""What attention remembers between the calls of one decoding; typed state that is passed in, never kept in modules."""

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, runtime_checkable

import torch
from torch import Tensor
from torch.nn.functional import pad

from tfx_core.errors import InputError
from tfx_core.nn.real_tokens import RealTokens

_OF_ANOTHER = "a cache goes on in the model that made it"

_MOST_AHEAD = 2048
"""Tokens that there is room for at most before they come: a limit may be far beyond where texts end."""


class AttentionCache(Protocol):
    """What one attention remembers."""

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Take the keys and values ``(B, G, T, d)`` of this call; return all to attend to, ``(B, G, S, d)``."""
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
    """Keys and values of the tokens so far, in buffers of the length that is expected, which else grow by doubling.

    A step then writes one column instead of copying the past. With gradients the parts are concatenated, since
    writing into a buffer would invalidate what the backward pass needs.
    """

    def __init__(self) -> None:
        self.length = 0
        self.expected = 0
        """How long the texts become, as far as that is known."""
        self._key: Tensor | None = None
        self._value: Tensor | None = None
        self._shared = False
        """Whether a copy may have the same buffers."""

    def __copy__(self) -> Self:
        made = type(self).__new__(type(self))
        self._shared = True
        vars(made).update(vars(self))
        return made

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Add ``(B, G, T, d)``; return views of all ``length`` keys and values."""
        held = key.shape if self._key is None else self._key.shape
        if (held[1], held[3]) != (key.shape[1], key.shape[3]):
            raise InputError(f"past_key_values of {held[1]} heads of width {held[3]}: not this model's; {_OF_ANOTHER}")
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
        if self._key is None or self._value is None:
            return
        views = self._view(self._key, self.length), self._view(self._value, self.length)
        copies = self._shared or len(rows) != len(self._key) or self._key.requires_grad or torch.is_grad_enabled()
        if copies or rows.device.type != "cpu":  # a device would have to be waited for, to know which rows move
            self._key, self._value = (each.index_select(0, rows) for each in views)
            self._shared = False
            return
        # of the beams of a text most stay where they are
        moved = (rows != torch.arange(len(rows), device=rows.device)).nonzero().squeeze(1)
        for each in views:
            each.index_copy_(0, moved, each.index_select(0, rows[moved]))

    def crop(self, length: int) -> None:
        """Forget all but the first ``length`` tokens."""
        self.length = min(self.length, length)

    @classmethod
    def joined(cls, parts: Sequence["SelfAttentionCache"]) -> Self:
        """The rows of all, each with as many columns as the longest; what is behind its own means nothing."""
        made = cls()
        made.length = max(each.length for each in parts)
        held = [(each._view(each._key, each.length), each._view(each._value, each.length)) for each in parts]
        made._key, made._value = (
            torch.cat([pad(each, (0, 0, 0, made.length - each.shape[2])) for each in side])
            for side in zip(*held, strict=True)
        )
        return made

    def _written(self, buffer: Tensor | None, new: Tensor, start: int) -> Tensor:
        batch, heads, _, width = new.shape
        if buffer is None or buffer.shape[2] < self.length or buffer.requires_grad:
            # the first call allocates what it needs and a quarter more: most decodings end soon after their prompt
            capacity = self.length + max(64, self.length // 4) if buffer is None else max(self.length, 2 * start)
            if self.expected > self.length:
                capacity = min(self.expected, self.length + _MOST_AHEAD)
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
        """Remember the source's ``(B, G, S, d)``."""
        self._pair = key, value
        return self._pair

    def stored(self) -> tuple[Tensor, Tensor] | None:
        """Keys and values of the source once they are known."""
        return self._pair

    @classmethod
    def joined(cls, parts: Sequence["CrossAttentionCache"]) -> Self:
        """The sources of all."""
        made, pairs = cls(), [each._pair for each in parts if each._pair is not None]
        if pairs:
            made._pair = torch.cat([key for key, _ in pairs]), torch.cat([value for _, value in pairs])
        return made

    def select(self, sources: Tensor) -> None:
        """Keep only these sources."""
        if self._pair is not None:
            self._pair = self._pair[0].index_select(0, sources), self._pair[1].index_select(0, sources)


class LayerCache(Protocol):
    """What one layer remembers, whatever that is: keys and values, states, buckets; the layer makes it and reads it.

    Selecting leaves a copy (`copy.copy`) that was made before as it was.
    """

    @property
    def knows_source(self) -> bool:
        """Whether it has met a source, so that it need not be given again."""
        ...

    def select(self, rows: Tensor) -> None:
        """Row ``i`` becomes what row ``rows[i]`` was; rows may repeat or be left out."""
        ...

    def select_sources(self, sources: Tensor) -> None:
        """Keep only these sources, of what is remembered of sources."""
        ...

    def crop(self, length: int) -> None:
        """Forget all but the first ``length`` tokens."""
        ...


@runtime_checkable
class JoiningCache(LayerCache, Protocol):
    """A `LayerCache` whose rows can be put beside those of others of its kind."""

    @classmethod
    def joined(cls, parts: Sequence[Any]) -> "JoiningCache":
        """The rows and sources of all."""
        ...


@dataclass
class KeyValueCache:
    """A `LayerCache` of keys and values, those of the tokens and those of the source."""

    self_attention: SelfAttentionCache = field(default_factory=SelfAttentionCache)
    cross_attention: CrossAttentionCache = field(default_factory=CrossAttentionCache)

    def __copy__(self) -> "KeyValueCache":
        return KeyValueCache(copy(self.self_attention), copy(self.cross_attention))

    @classmethod
    def joined(cls, parts: Sequence["KeyValueCache"]) -> "KeyValueCache":
        """The rows and sources of all."""
        return cls(
            SelfAttentionCache.joined([each.self_attention for each in parts]),
            CrossAttentionCache.joined([each.cross_attention for each in parts]),
        )

    @property
    def knows_source(self) -> bool:
        """Whether the source's keys and values are there."""
        return self.cross_attention.stored() is not None

    def select(self, rows: Tensor) -> None:
        """Row ``i`` becomes what row ``rows[i]`` was; the source stays."""
        self.self_attention.select(rows)

    def select_sources(self, sources: Tensor) -> None:
        """Keep only these sources."""
        self.cross_attention.select(sources)

    def crop(self, length: int) -> None:
        """Forget all but the first ``length`` tokens."""
        self.self_attention.crop(length)


class DecoderCache:
    """What the layers of a decoder stack remember, and which of the remembered tokens are real.

    Positions are counted in real tokens, so rows of different lengths share one cache. ``rows_per_source`` is the
    number of adjacent rows (beams, samples) that attend to the same source. A stack makes it: `Stack.new_cache`.
    """

    def __init__(self, layers: Iterable[LayerCache]) -> None:
        self.layers = tuple(layers)
        self.real: RealTokens | None = None
        """Of all remembered tokens; ``None`` before the first call."""
        self.rows_per_source = 1

    @property
    def knows_source(self) -> bool:
        """Whether a source has been met, so that it need not be given again."""
        return any(layer.knows_source for layer in self.layers)

    @property
    def batch(self) -> int:
        """Number of rows; 0 before the first call."""
        return 0 if self.real is None else self.real.batch

    @property
    def length(self) -> int:
        """Number of remembered tokens of every row, padding included."""
        return 0 if self.real is None else self.real.length

    def get_seq_length(self) -> int:
        """`length`, as transformers asks for it."""
        return self.length

    def check_fits(self, rows: int, layers: int) -> None:
        """Raise `InputError` where a call of so many rows, to so many layers, cannot go on from here."""
        if len(self.layers) != layers:
            raise InputError(f"past_key_values of {len(self.layers)} layers: this model has {layers}; {_OF_ANOTHER}")
        if self.real is not None and self.batch != rows:
            raise InputError(f"past_key_values has {self.batch} rows, this call {rows}; must be alike")

    def expect(self, length: int) -> None:
        """Texts are read up to this length."""
        for layer in self.layers:
            if isinstance(layer, KeyValueCache):
                layer.self_attention.expected = length

    def append(self, new: RealTokens) -> RealTokens:
        """Note the tokens of this call; return all."""
        self.real = new if self.real is None else self.real.append(new)
        return self.real

    def expand(self, copies: int) -> None:
        """Make ``copies`` adjacent rows of every row; what is known of the source is not copied."""
        if self.real is not None:
            self.reorder(copied_rows(self.real.batch, copies, self.real.device))

    def reorder(self, rows: Tensor) -> None:
        """Row ``i`` continues what row ``rows[i]`` was; rows stay with their source, equally many for each."""
        if self.real is not None:
            self.rows_per_source = self.rows_per_source * len(rows) // self.real.batch
        self._take(rows)

    def select(self, sources: Tensor) -> None:
        """Keep only these sources, with all their rows."""
        self._take(rows_of_sources(sources, self.rows_per_source))
        for layer in self.layers:
            layer.select_sources(sources)

    def keep(self, counts: Tensor, of: int) -> None:
        """Of the last ``of`` tokens keep the first ``counts`` ``(R,)`` of each row."""
        assert self.real is not None
        self.real = self.real.kept(counts, of)
        for layer in self.layers:
            layer.crop(self.real.length)

    def of_rows(self, rows: Tensor) -> "DecoderCache":
        """A cache of its own of these rows, each with a source of its own; nothing that comes changes the other."""
        made = DecoderCache(copy(layer) for layer in self.layers)
        for layer in made.layers:
            layer.select(rows)
            layer.select_sources(rows // self.rows_per_source)
        made.real = None if self.real is None else self.real.select(rows)
        return made

    def copied(self) -> "DecoderCache":
        """The same as a cache of its own."""
        if self.real is None:
            return DecoderCache(copy(layer) for layer in self.layers)
        return self.of_rows(torch.arange(self.batch, device=self.real.device))

    __copy__ = copied

    @classmethod
    def joined(cls, parts: Sequence["DecoderCache"]) -> "DecoderCache | None":
        """The rows of caches with a source for each row; ``None`` where what a layer remembers cannot be joined."""
        if len(parts) == 1:
            return parts[0]
        layers = []
        for each in zip(*(part.layers for part in parts), strict=True):
            if not isinstance(each[0], JoiningCache):
                return None
            layers.append(type(each[0]).joined(each))
        made = cls(layers)
        made.real = RealTokens.joined([part.real for part in parts if part.real is not None])
        return made

    def _take(self, rows: Tensor) -> None:
        for layer in self.layers:
            layer.select(rows)
        self.real = None if self.real is None else self.real.select(rows)


def copied_rows(rows: int, copies: int, device: torch.device) -> Tensor:
    """For ``copies`` adjacent rows of each of ``rows`` rows, which one each is a copy of."""
    return torch.arange(rows, device=device).repeat_interleave(copies)


def rows_of_sources(sources: Tensor, rows_per_source: int) -> Tensor:
    """The rows of these sources, which are adjacent."""
    return (sources[:, None] * rows_per_source + torch.arange(rows_per_source, device=sources.device)).flatten()
