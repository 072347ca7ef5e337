"""What Reformer's layers remember of a text: keys, values and buckets of each token, in rows without padding.

Of local attention a new token sees what it would in the whole text. For hashed attention the tokens so far are sorted
by their buckets, in each round apart, and it attends to the chunks about its own place among them, as in the released
code: not all that it would meet in the whole text, whose last chunk is filled up and whose rounds are neighbours.
Tokens that were read before keep what they saw then.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from tfx_core.errors import InputError
from tfx_core.nn import (
    Allowed,
    Attention,
    AttentionCall,
    ChunkedAttention,
    Chunking,
    Chunks,
    DenseBias,
    Geometry,
    HashedAttention,
    HashedCall,
    LayerCall,
    RealTokens,
    normalised,
    row_buckets,
    self_last,
)

MOST_PAIRS = 2**22
"""Pairs of a new token and one of the text that are sorted out at a time."""


@dataclass(frozen=True)
class Places(Geometry):
    """Where the new tokens of a call stand among all of their row, counted without padding.

    ``query_positions`` are ``(R|1, T)``, ``key_positions`` ``(1, S)``.
    """

    begins: bool
    """Whether nothing was remembered before the call."""
    start: int | None
    """The place of the first new token, where it is the same in all rows and there is no padding."""

    @classmethod
    def of(cls, known: RealTokens, new: RealTokens, *, begins: bool) -> "Places":
        """Of ``new`` aligned tokens, the last of those that are ``known``."""
        if known.mask is None:
            start, longest = known.length - new.length, known.length
            columns = torch.arange(longest, device=known.device)[None]
            return cls(columns[:, start:], columns, begins, start)
        lengths = known.mask.sum(1)
        longest = new.length if begins else int(lengths.max())
        past = lengths - new.dense_mask.sum(1)
        queries = past[:, None] + torch.arange(new.length, device=known.device)
        return cls(queries, torch.arange(longest, device=known.device)[None], begins, None)

    @property
    def length(self) -> int:
        """Tokens of the longest row, ``S``."""
        return self.key_positions.shape[1]

    def parts(self, most: int) -> Iterator[Tensor]:
        """``query_positions`` in parts of at most ``most`` pairs with a key."""
        yield from torch.split(self.query_positions, max(most // self.length, 1), dim=1)


class AlignedCache:
    """A `tfx_core.nn.LayerCache` in which each row's tokens are its first columns; what is behind them means nothing.

    Which they are the call tells (`Places`), so that tokens are taken back by being written over.
    """

    knows_source = False

    def __init__(self) -> None:
        self.held: dict[str, Tensor] = {}
        """``(R, …)`` each, those of tokens ``(R, H, columns, width)``."""

    def __copy__(self) -> "AlignedCache":
        made = AlignedCache()
        made.held = dict(self.held)
        return made

    def write(self, name: str, new: Tensor, places: Places) -> Tensor:
        """Take ``(R, H, T, w)`` of new tokens; return those of all, ``(R, H, S, w)``."""
        held = self.held.get(name, new)
        if (held.shape[1], held.shape[3]) != (new.shape[1], new.shape[3]):
            raise InputError(
                f"past_key_values of {held.shape[1]} heads of width {held.shape[3]}: not this model's; a cache goes on "
                "in the model that made it"
            )
        room = places.length + new.shape[2]
        if name not in self.held or held.shape[2] < room:
            held = held if name in self.held else new[:, :, :0]
            held = _grown(held, max(room + 64, 2 * held.shape[2]))
        self.held[name] = _written(held, new, places)
        return self.held[name][:, :, : places.length]

    @classmethod
    def joined(cls, parts: Sequence["AlignedCache"]) -> "AlignedCache":
        """The rows of all, each with as many columns as the longest."""
        made = cls()
        for name in parts[0].held:
            held = [each.held[name] for each in parts]
            longest = max(each.shape[2] for each in held) if held[0].dim() > 2 else 0
            made.held[name] = torch.cat([each if not longest else _grown(each, longest) for each in held])
        return made

    def select(self, rows: Tensor) -> None:
        """Row ``i`` becomes what row ``rows[i]`` was; rows may repeat or be left out."""
        self.held = {name: each.index_select(0, rows) for name, each in self.held.items()}

    def select_sources(self, sources: Tensor) -> None:
        """Nothing: no source is remembered."""

    def crop(self, length: int) -> None:
        """Nothing: what is taken back is behind a row's last token."""


def _grown(held: Tensor, room: int) -> Tensor:
    # not empty: what is hidden has no weight, but nothing times what is not a number is none either
    return pad(held, (0, 0, 0, room - held.shape[2]))


def _written(held: Tensor, new: Tensor, places: Places) -> Tensor:
    index = places.query_positions.expand(len(new), -1)[:, None, :, None].expand_as(new)
    if torch.is_grad_enabled() and (new.requires_grad or held.requires_grad):
        return held.scatter(2, index, new)  # in place it would change what the backward pass needs
    if places.start is None:
        return held.scatter_(2, index, new)
    held[:, :, places.start : places.start + new.shape[2]] = new
    return held


@dataclass(frozen=True)
class PlacedCache:
    """A layer's cache in one call: a `tfx_core.nn.AttentionCache`."""

    cache: AlignedCache
    places: Places

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Take the keys and values ``(R, H, T, d)`` of this call; return all to attend to, ``(R, H, S, d)``."""
        return self.cache.write("key", key, self.places), self.cache.write("value", value, self.places)

    def stored(self) -> None:
        """Nothing: every call brings new tokens."""

    def bucket_lengths(self, new: Tensor, lengths: Tensor | None) -> Tensor:
        """The length of each row's beginning ``(R,)``, which decides how many buckets it has from then on."""
        if "lengths" not in self.cache.held:
            whole = torch.full((len(new),), new.shape[2], device=new.device)
            self.cache.held["lengths"] = whole if lengths is None else lengths
        return self.cache.held["lengths"]


def placed(call: LayerCall) -> AttentionCall:
    """The call of a layer's attention with what the layer remembers; `InputError` where that is of another model."""
    attention, cache = call.self_attention, call.cache
    if cache is None:
        return attention
    if not isinstance(cache, AlignedCache) or not isinstance(attention.geometry, Places):
        raise InputError("past_key_values are not this model's: a cache goes on in the model that made it")
    return replace(attention, cache=PlacedCache(cache, attention.geometry))


class LocalAttention(ChunkedAttention):
    """Attention among neighbouring chunks, which can go on from what it remembers."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor, call: AttentionCall) -> Tensor:
        """Queries ``(B, H, T, d)``, keys and values ``(B, H, S, d)`` -> ``(B, H, T, d)``."""
        places = going_on(call)
        if places is None:
            return super().attend(query, key, value, call)
        seen = _neighbours(self.chunking, places)  # (B|1, T, S)
        # what no row sees any more need not be read
        first = 0 if places.start is None else self._first_seen(places.start)
        seen, key, value = seen[..., first:], key[:, :, first:], value[:, :, first:]
        return Attention.attend(self, query, key, value, replace(call, bias=Allowed(seen[:, None])))

    def _first_seen(self, place: int) -> int:
        return max(place // self.chunking.length - self.chunking.before, 0) * self.chunking.length


class LSHAttention(HashedAttention):
    """Attention among tokens of like hashes, which can go on from what it remembers."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor, call: AttentionCall) -> Tensor:
        """Queries ``(B, H, T, d)``, keys as they were projected and values ``(B, H, S, d)`` -> ``(B, H, T, d)``."""
        if not isinstance(call.cache, PlacedCache):
            return super().attend(query, key, value, call)
        places = call.cache.places
        buckets = call.cache.cache.write("buckets", self._buckets(query, call), places)  # (B, H, S, R)
        if places.begins:
            return super().attend(query, key, value, call)
        bias = _alike(buckets.transpose(2, 3), places, self.chunking, query.dtype)
        return Attention.attend(self, query, normalised(key), value, replace(call, bias=DenseBias(bias)))

    def _buckets(self, query: Tensor, call: AttentionCall) -> Tensor:
        """Of new tokens, ``(B, H, T, R)``: of as many as the length of a row's beginning asks for, and two at least."""
        assert isinstance(call, HashedCall)
        assert isinstance(call.cache, PlacedCache)
        hashing = self.hashing_of(call)
        seed, known = hashing.drawn_seed(training=False), call.cache.cache.held.get("buckets")
        if known is not None and known.shape[3] != hashing.rounds:
            raise InputError(f"num_hashes={hashing.rounds}: past_key_values were hashed {known.shape[3]} times")
        if hashing.factors is not None:
            return hashing.buckets(query, hashing.factors, seed).transpose(2, 3)
        lengths = call.cache.bucket_lengths(query, call.lengths).clamp(min=self.chunking.length + 1)
        return row_buckets(hashing, self.chunking, query, lengths, seed).transpose(2, 3)


def going_on(call: AttentionCall) -> Places | None:
    """Where the new tokens stand, if some before them are remembered."""
    places = call.geometry
    return places if isinstance(places, Places) and not places.begins else None


def _neighbours(chunking: Chunking, places: Places) -> Tensor:
    """Which keys each new token sees in its own chunk and those about it, ``(R|1, T, S)``; none that follow."""
    queries, keys = places.query_positions, places.key_positions
    near = Chunks(chunking.length, chunking.before, chunking.after).at(queries, keys)
    return near & (keys[:, None] <= queries[:, :, None])


def _alike(buckets: Tensor, places: Places, chunking: Chunking, dtype: torch.dtype) -> Tensor:
    """What is added to the scores of new tokens, of buckets ``(B, H, R, S)``: ``(B, H, T, S)``.

    A token that is met in several rounds has its weight several times, as the sum of the rounds has it.
    """
    keys = places.key_positions[:, None]
    order = buckets.argsort(dim=-1, stable=True)  # (B, H, R, S), places
    pairs = buckets[0, :, :, 0].numel() * len(buckets)
    biases = []
    for queries in places.parts(MOST_PAIRS // pairs):
        times = _times_met(order, queries[:, None, None, :, None], chunking)  # (B, H, t, S)
        bias = times.clamp(min=1).to(dtype).log().masked_fill(times == 0, torch.finfo(dtype).min / 2)
        itself = (keys == queries[:, :, None])[:, None]
        biases.append(bias.masked_fill(itself, self_last(dtype)))
    return torch.cat(biases, dim=2)


def _times_met(order: Tensor, places: Tensor, chunking: Chunking) -> Tensor:
    """In how many rounds each new token at ``places`` ``(B|1, 1, 1, T, 1)`` meets each key, ``(B, H, T, S)``.

    ``order`` ``(B, H, R, S)`` are the places of all tokens in the order of their buckets; of those a token knows the
    ones up to its own place. It sees the chunk that it is in and those about it, the last one before the first.
    """
    order = order[..., None, :]  # (B, H, R, 1, S)
    known = order <= places
    ranks = known.cumsum(-1) - 1  # (B, H, R, T, S)
    own = ranks.masked_fill(order != places, 0).sum(-1, keepdim=True)
    first = (own // chunking.length - chunking.before) * chunking.length
    width = (chunking.before + 1 + chunking.after) * chunking.length
    seen = known & ((ranks - first) % (places + 1) < width)
    times = torch.zeros(seen.shape, dtype=torch.long, device=seen.device)
    return times.scatter(-1, order.expand_as(seen), seen.long()).sum(2)
