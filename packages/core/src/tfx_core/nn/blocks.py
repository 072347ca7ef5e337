"""Attention that computes only what a bounded window lets a query see, in time and memory linear in the length.

Queries are cut into blocks; each block meets the keys in its reach, a view of the padded keys, and the global keys of
its row (Beltagy et al. 2020, appendix A, has overlapping chunks of queries and keys for it).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from tfx_core.nn.bias import (
    Allowed,
    Bias,
    Chunks,
    GlobalTokens,
    PlacedMask,
    SameText,
    Scores,
    Window,
    additive,
    taken,
    terms_of,
)
from tfx_core.nn.layout import true_first
from tfx_core.nn.real_tokens import can_read

NARROWEST, WIDEST = 64, 256
"""Queries of a block: of narrow ones the matrices are small, wide ones compute more that they may not see."""

DEARER = 1.4
"""What a score costs in blocks, where one costs 1 among all."""

FEW_SCORES = 2**25
"""Of a head, rows together: what computes them on a GPU before the kernels that make blocks have begun."""


def banded(
    query: Tensor, key: Tensor, value: Tensor, bias: Bias | None, *, scale: float, dropout: float
) -> Tensor | None:
    """What `tfx_core.nn.AttentionKernel` asks for, in blocks; ``None`` where the bias has no bounds or none pay.

    Nor are there blocks where calls are recorded, since how many there are depends on the inputs.
    """
    if bias is None or not can_read(query):
        return None
    scores = Scores(query.shape[2], key.shape[2], query.dtype, query.device)
    plan = bias.kept((scores, len(query)), lambda: _plan(bias, scores, len(query)))
    return None if plan is None else plan.attend(query, key, value, scale, dropout)


@dataclass(frozen=True, eq=False)
class _Keys(PlacedMask):
    """Some keys, whoever asks."""

    real: Tensor
    """Boolean ``(B|1, S)``."""

    def at(self, queries: Tensor, keys: Tensor) -> Tensor:
        """The same for every query, ``(B|1, …, 1, S)``."""
        return taken(self.real, keys)[..., None, :]


@dataclass(frozen=True)
class _Terms:
    """The parts of a bias that can be asked for blocks."""

    windows: Sequence[Window | Chunks]
    """Masks of distances, the same in every block."""
    others: Sequence[PlacedMask]
    chosen: GlobalTokens | None

    @classmethod
    def of(cls, bias: Bias) -> "_Terms | None":
        """``None`` where something else is in it."""
        chosen = [term for term in terms_of(bias) if isinstance(term, GlobalTokens)]
        placed = [_placed(term) for term in terms_of(bias) if not isinstance(term, GlobalTokens)]
        known = [mask for mask in placed if mask is not None]
        if len(known) < len(placed) or len(chosen) > 1:
            return None
        return cls(
            windows=[mask for mask in known if isinstance(mask, Window | Chunks)],
            others=[mask for mask in known if not isinstance(mask, Window | Chunks)],
            chosen=chosen[0] if chosen else None,
        )

    @property
    def local(self) -> Sequence[Window | Chunks]:
        """What bounds the sight of tokens that are not global."""
        return self.windows if self.chosen is None else [self.chosen.window, *self.windows]

    @property
    def everywhere(self) -> Sequence[PlacedMask]:
        """What bounds that of global ones, too."""
        return [*self.windows, *self.others]


def _placed(term: Bias) -> PlacedMask | None:
    if isinstance(term, Allowed) and term.pairs.dim() == 4 and term.pairs.shape[1:3] == (1, 1):
        return _Keys(term.pairs[:, 0, 0])
    return term if isinstance(term, Window | Chunks | SameText) else None


@dataclass(frozen=True)
class _Shape:
    """How columns are cut into blocks; all but ``step`` counts columns of one residue modulo ``step``."""

    step: int
    """The dilation: columns of different residues do not see each other."""
    start: int
    """Where the first block begins: at the first query, or before it where a chunk does."""
    width: int
    """Queries of a block."""
    blocks: int
    before: int
    after: int
    """How many keys behind the last query of a block it sees."""

    @classmethod
    def of(cls, local: Sequence[Window | Chunks], scores: Scores) -> "_Shape | None":
        """``None`` where nothing is a bound, or the blocks of two masks do not go together."""
        step = max((mask.dilation for mask in local if isinstance(mask, Window)), default=1)
        grain = math.lcm(*(mask.length for mask in local if isinstance(mask, Chunks)))
        before = _least(_in_steps(mask, mask.before, step) for mask in local)
        after = _least(_in_steps(mask, mask.after, step) for mask in local)
        own = scores.keys - scores.queries
        if before is None or after is None or (step > 1 and (own > 0 or grain > 1)):
            return None
        start, end = own // grain * grain, -(-scores.keys // step)
        width = min(WIDEST, max(NARROWEST, (before + after) // 2))
        width = min(-(-width // grain) * grain, end - start)
        return cls(step, start, width, -(-(end - start) // width), before, after)

    @property
    def span(self) -> int:
        """Keys of a block."""
        return self.before + self.width + self.after

    @property
    def end(self) -> int:
        """Where the last block ends, perhaps beyond the text."""
        return self.start + self.blocks * self.width

    def places(self, first: int, count: int, device: torch.device) -> Tensor:
        """The columns of ``count`` tokens of every block, from its ``first`` on: ``(1, step, blocks, count)``."""
        begins = torch.arange(self.start, self.end, self.width, device=device)
        inside = begins[:, None] + torch.arange(first, first + count, device=device)
        return (inside * self.step + torch.arange(self.step, device=device)[:, None, None])[None]


def _in_steps(mask: Window | Chunks, bound: int | None, step: int) -> int | None:
    size = mask.length if isinstance(mask, Chunks) else mask.dilation
    return None if bound is None else bound * size // step


def _least(bounds: Iterable[int | None]) -> int | None:
    return min((bound for bound in bounds if bound is not None), default=None)


@dataclass(frozen=True)
class _Chosen:
    """The global tokens of every row, padded to as many as the most."""

    places: Tensor
    """``(B|1, N)``."""
    real: Tensor
    """Boolean ``(B|1, N)``."""

    @classmethod
    def of(cls, tokens: Tensor, first: int = 0) -> "_Chosen | None":
        """Those of ``tokens`` ``(B|1, S)`` from column ``first`` on; ``None`` where there is none."""
        tokens = tokens & (torch.arange(tokens.shape[1], device=tokens.device) >= first)
        counts = tokens.sum(1, keepdim=True)
        most = int(counts.max())
        places = true_first(tokens)[:, :most]
        return cls(places, torch.arange(most, device=tokens.device) < counts) if most else None

    @property
    def count(self) -> int:
        """``N``."""
        return self.places.shape[1]

    def pick(self, x: Tensor, skipped: int = 0) -> Tensor:
        """``(B, H, S, d) -> (B, H, N, d)``, of what is there without the first ``skipped``."""
        # those that only pad may be anywhere
        return x.take_along_dim((self.places - skipped).clamp(min=0)[:, None, :, None], dim=2)


@dataclass(frozen=True)
class _Plan:
    """All that the layers of a call share."""

    shape: _Shape
    group: int
    """Blocks that are computed at once."""
    masks: Sequence[Tensor]
    """For each group ``(B·step·blocks | 1, 1, width, keys)``."""
    keys: _Chosen | None
    """Those that every query sees."""
    queries: _Chosen | None
    """Those that see every key."""
    queries_mask: Tensor | None
    """``(B|1, 1, N, S)``."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor, scale: float, dropout: float) -> Tensor:
        """Queries ``(B, H, T, d)``, keys and values ``(B, G, S, d)`` -> ``(B, H, T, d)``."""
        gqa = query.shape[1] != key.shape[1]

        def dense(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
            return F.scaled_dot_product_attention(
                query, key, value, attn_mask=mask, dropout_p=dropout, scale=scale, enable_gqa=gqa
            )

        skipped = key.shape[2] - query.shape[2]  # keys before the first query
        blocks = self._query_blocks(query, skipped), self._key_blocks(key), self._key_blocks(value), self.masks
        parts = [dense(*block) for block in zip(*blocks, strict=True)]
        out = self._in_order(parts, len(query), skipped)[:, : query.shape[2]]  # (B, T, H, d)
        if self.queries is not None:
            everywhere = dense(self.queries.pick(query, skipped), key, value, self.queries_mask)  # (B, H, N, d)
            row, number = self.queries.real.expand(len(query), -1).nonzero(as_tuple=True)
            column = self.queries.places.expand(len(query), -1)[row, number] - skipped
            out = out.index_put((row, column), everywhere.transpose(1, 2)[row, number])
        return out.transpose(1, 2)

    def _query_blocks(self, query: Tensor, skipped: int) -> list[Tensor]:
        """For each group ``(B·step·blocks, H, width, d)``."""
        shape, rows = self.shape, self._residues(query)
        ahead = skipped - shape.start
        rows = _padded(rows, ahead, shape.end - shape.start - ahead - rows.shape[2])
        return self._grouped(rows.view(*rows.shape[:2], shape.blocks, shape.width, -1))

    def _key_blocks(self, key: Tensor) -> list[Tensor]:
        """For each group ``(B·step·blocks, G, keys, d)``, of one block a view unless there are global keys."""
        shape, rows = self.shape, self._residues(key)
        first, last = shape.start - shape.before, shape.end + shape.after
        in_reach = _padded(rows[:, :, max(first, 0) : last], max(-first, 0), max(last - rows.shape[2], 0))
        groups = self._grouped(in_reach.unfold(2, shape.span, shape.width).transpose(-1, -2))
        if self.keys is None:
            return groups
        chosen = self.keys.pick(key)
        return [torch.cat((block, chosen.repeat_interleave(len(block) // len(key), 0)), dim=2) for block in groups]

    def _residues(self, x: Tensor) -> Tensor:
        """``(B, H, S, d) -> (B·step, H, S / step, d)``."""
        step = self.shape.step
        if step == 1:
            return x
        x = _padded(x, 0, -x.shape[2] % step)
        x = x.view(*x.shape[:2], -1, step, x.shape[-1])  # (B, H, S / step, step, d)
        return x.permute(0, 3, 1, 2, 4).flatten(0, 1)

    def _grouped(self, x: Tensor) -> list[Tensor]:
        """``(R, H, blocks, n, d) ->`` for each group ``(R·blocks, H, n, d)``."""
        # split at once: the backward pass of a slice would fill a tensor of all blocks for each of them
        return [group.transpose(1, 2).flatten(0, 1) for group in torch.split(x, self.group, dim=2)]

    def _in_order(self, parts: Sequence[Tensor], batch: int, skipped: int) -> Tensor:
        """The inverse, for outputs: ``(B, T, H, d)``, and perhaps some after them."""
        rows, step = batch * self.shape.step, self.shape.step
        lines = [part.transpose(1, 2) for part in parts]  # (R·blocks, width, H, d)
        x = torch.cat([line.view(rows, -1, *line.shape[1:]).flatten(1, 2) for line in lines], dim=1)
        if step > 1:  # (B·step, T / step, H, d)
            x = x.view(batch, step, *x.shape[1:]).transpose(1, 2).flatten(1, 2)
        return x[:, skipped - self.shape.start :]


def _padded(x: Tensor, before: int, after: int) -> Tensor:
    """``(B, H, S, d)`` with zeros before and after its columns."""
    return F.pad(x, (0, 0, before, after)) if before or after else x


def _plan(bias: Bias, scores: Scores, batch: int) -> _Plan | None:
    """How to compute it; ``None`` where that is not possible or no cheaper than all scores together."""
    terms = _Terms.of(bias)
    shape = None if terms is None else _Shape.of(terms.local, scores)
    if terms is None or shape is None:
        return None
    chosen = terms.chosen
    keys = None if chosen is None else _Chosen.of(chosen.tokens)
    queries = _Chosen.of(chosen.tokens, scores.keys - scores.queries) if chosen is not None and chosen.both else None
    computed = shape.step * shape.blocks * shape.width * (shape.span + (0 if keys is None else keys.count))
    computed += 0 if queries is None else queries.count * scores.keys
    every = scores.queries * scores.keys
    if computed * DEARER > every or (scores.device.type != "cpu" and batch * every <= FEW_SCORES):
        return None
    group = _blocks_at_once(scores.device.type) or shape.blocks
    return _Plan(
        shape=shape,
        group=group,
        masks=_masks(terms, shape, keys, scores, group, batch),
        keys=keys,
        queries=queries,
        queries_mask=None if queries is None else _queries_mask(terms, queries, scores),
    )


def _blocks_at_once(device: str) -> int | None:
    """One by one they are views in a CPU's cache; what waits for a device's kernels to begin does all (``None``)."""
    return 1 if device == "cpu" else None


def _masks(
    terms: _Terms, shape: _Shape, chosen: _Chosen | None, scores: Scores, group: int, batch: int
) -> list[Tensor]:
    """For each group of blocks ``(B·step·blocks | 1, 1, width, keys)``; one tensor for all that hide nothing more."""
    places = torch.arange(-shape.before, shape.width + shape.after, device=scores.device)[None] * shape.step
    inside = places[:, shape.before : shape.before + shape.width]
    window = _all([mask.at(inside, places) for mask in terms.local])  # (1, width, keys)
    shared = additive(window[None], scores.dtype)
    masks = []
    for seen, further in zip(*_seen(terms, shape, chosen, scores, group), strict=True):
        if further is None and bool(seen.all()):
            masks.append(shared)
            continue
        allowed = window & seen  # (B|1, step, blocks, width, keys)
        allowed = allowed if further is None else _side_by_side(allowed, further)
        rows = batch if allowed.shape[1] * allowed.shape[2] > 1 else len(allowed)
        masks.append(additive(allowed.expand(rows, -1, -1, -1, -1).flatten(0, 2)[:, None], scores.dtype))
    return masks


def _seen(
    terms: _Terms, shape: _Shape, chosen: _Chosen | None, scores: Scores, group: int
) -> tuple[Sequence[Tensor], Sequence[Tensor | None]]:
    """For each group of blocks which keys in reach are seen, and which global ones, ``(B|1, step, blocks, …)``."""
    queries = shape.places(0, shape.width, scores.device).clamp(max=scores.keys - 1)
    reached = shape.places(-shape.before, shape.span, scores.device)
    keys = reached.clamp(0, scores.keys - 1)
    real = reached == keys
    if chosen is None or terms.chosen is None:
        further: Sequence[Tensor | None] = [None] * -(-shape.blocks // group)
    else:
        real = real & ~taken(terms.chosen.tokens, keys)  # global keys are seen once
        of_chosen = [mask.at(queries, chosen.places[:, None, None]) for mask in terms.everywhere]
        of_each = _all([chosen.real[:, None, None, None], *of_chosen])
        further = torch.split(of_each.expand(-1, -1, shape.blocks, -1, -1), group, dim=2)
    seen = _all([real[..., None, :], *(mask.at(queries, keys) for mask in terms.others)])
    return torch.split(seen, group, dim=2), further


def _queries_mask(terms: _Terms, queries: _Chosen, scores: Scores) -> Tensor | None:
    """What global queries see of all keys, ``(B|1, 1, N, S)``."""
    places = torch.arange(scores.keys, device=scores.device)[None]
    parts = [mask.at(queries.places, places) for mask in terms.everywhere]
    return additive(_all(parts)[:, None], scores.dtype) if parts else None


def _side_by_side(allowed: Tensor, further: Tensor) -> Tensor:
    rows = [max(sizes) for sizes in zip(allowed.shape[:-1], further.shape[:-1], strict=True)]
    return torch.cat([each.expand(*rows, -1) for each in (allowed, further)], dim=-1)


def _all(masks: Sequence[Tensor]) -> Tensor:
    return reduce(torch.logical_and, masks)
