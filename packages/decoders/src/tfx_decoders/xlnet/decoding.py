"""How XLNet writes a text: a query beyond its end predicts the next token."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.model import Model
from tfx_core.nn import AttentionKernel, DecoderCache, Memory, PositionKeys, PositionTable, TableRows
from tfx_decoders.xlnet.model import XLNetBackbone
from tfx_decoders.xlnet.streams import Reading

_READ_AGAIN = 2
_INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids", "mems", "use_mems", "head_mask"})


def xlnet_decoding(model: Model, inputs: Mapping[str, Any]) -> "XLNetDecoding":
    """The state of one generation; raises `InputError` for what cannot generate, and for inputs that it ignores."""
    predictions = model.language_head.predictions
    backbone = model.backbone
    assert isinstance(backbone, XLNetBackbone)
    if backbone.rules.backward_half:
        raise InputError("bi_data=true: half of every batch is read backwards; load the model with bi_data=False")
    for name in inputs.keys() - _INPUTS:
        raise InputError(f"{name}: generation has no use for it; it takes {', '.join(sorted(_INPUTS))}")
    return XLNetDecoding(backbone, predictions, inputs, model.attention)


class XLNetDecoding:
    """XLNet's `DecodingState`.

    Every token sees those that follow, so nothing but the whole text gives exact states: that is ``use_mems=False``,
    which reads it again for each token. By default, as in the reference, a step reads the new token and the one before
    it, and keeps what earlier tokens looked like when they had been followed by one more; ``mem_len`` bounds how many
    are kept. Here it is their keys and values that are kept, and the position keys, which gives the same numbers.
    """

    def __init__(
        self, backbone: XLNetBackbone, predictions: nn.Module, inputs: Mapping[str, Any], attention: AttentionKernel
    ) -> None:
        self._backbone = backbone
        self._predictions = predictions
        self._attention = attention
        self._head_mask: Tensor | None = inputs.get("head_mask")
        use_mems = inputs.get("use_mems")
        self._cached = backbone.memory.in_evaluation if use_mems is None else bool(use_mems)
        self._ids: Tensor = inputs["input_ids"]
        self._segments: Tensor | None = inputs.get("token_type_ids")
        self._real = _aligned_real(inputs.get("attention_mask"))
        if self._real is not None:
            order = inputs["attention_mask"].bool().long().argsort(dim=1, stable=True)
            self._ids = self._ids.gather(1, order)
            self._segments = None if self._segments is None else self._segments.gather(1, order)
        mems, layers = inputs.get("mems"), len(backbone.stack.order)
        self._memory = None if mems is None else Memory.of(mems, layers, len(self._ids))
        self._sources = len(self._ids)
        self._cache = DecoderCache(layers)
        self._tables = [PositionTable(backbone.rules.distances, backbone.mask) for _ in range(layers)]

    def prefill(self) -> Tensor:
        """Read the prompts; the logits ``(B, V)`` after the last real token of each."""
        return self._read_all()

    def step(self, ids: Tensor) -> Tensor:
        """Append one token ``(R,)`` to every row; the logits ``(R, V)`` of the next."""
        self._ids = torch.cat((self._ids, ids[:, None]), dim=1)
        if self._real is not None:
            self._real = nn.functional.pad(self._real, (0, 1), value=True)
        if self._segments is not None:
            self._segments = torch.cat((self._segments, self._segments[:, -1:]), dim=1)
        return self._read_last() if self._cached else self._read_all()

    def expand(self, copies: int) -> None:
        """Make ``copies`` adjacent rows of every row."""
        self._select_rows(torch.arange(len(self._ids), device=self._ids.device).repeat_interleave(copies))

    def reorder(self, rows: Tensor) -> None:
        """Row ``i`` continues what row ``rows[i]`` was, always within its source."""
        self._select_rows(rows)

    def select(self, sources: Tensor) -> None:
        """Keep only these sources, with all their rows."""
        copies = len(self._ids) // self._sources
        self._sources = len(sources)
        offsets = torch.arange(copies, device=sources.device)
        self._select_rows((sources[:, None] * copies + offsets).flatten())

    def _select_rows(self, rows: Tensor) -> None:
        self._ids = self._ids.index_select(0, rows)
        self._real = None if self._real is None else self._real.index_select(0, rows)
        self._segments = None if self._segments is None else self._segments.index_select(0, rows)
        self._memory = None if self._memory is None else self._memory.select(rows)
        for layer in self._cache.self_attention:
            layer.select(rows)

    def _read_all(self) -> Tensor:
        """Read the whole text after the memory."""
        if self._cached:
            return self._read(self._ids.shape[1], self._known(), memory=self._memory, cache=self._cache)
        return self._read(self._ids.shape[1], self._known(), memory=self._memory)

    def _read_last(self) -> Tensor:
        """Read the last tokens after what is kept of the others."""
        count = min(_READ_AGAIN, self._ids.shape[1])
        return self._read(count, self._within_memory(self._known()), cache=self._cache)

    def _read(
        self, count: int, known: Tensor | None, *, memory: Memory | None = None, cache: DecoderCache | None = None
    ) -> Tensor:
        backbone, keys = self._backbone, self._past + self._ids.shape[1]
        end = torch.full_like(self._ids[:, :1], count)
        reading = Reading(count, keys, known, targets=end, segments=self._all_segments())
        # the table is also of use without a cache of keys: distances do not depend on what was read
        position_keys: Sequence[PositionKeys] = [TableRows(table, keys, keys + count) for table in self._tables]
        x, _ = backbone.read(
            backbone.token(self._ids[:, -count:]),
            reading,
            self._attention,
            memory=memory,
            head_mask=self._head_mask,
            cache=cache,
            position_keys=position_keys,
        )
        if cache is not None:
            for layer in cache.self_attention:
                layer.crop(keys - 1)  # the last token is read again when the next is known
        logits: Tensor = self._predictions(x[:, -1])
        return logits

    def _known(self) -> Tensor | None:
        """Boolean ``(R, S)``, which of the tokens of memory and text are real."""
        remembered = None if self._memory is None else self._memory.mask
        if self._real is None and remembered is None:
            return None
        ones = torch.ones(len(self._ids), self._past + self._ids.shape[1], dtype=torch.bool, device=self._ids.device)
        before = ones[:, : self._past] if remembered is None else remembered
        return torch.cat((before, ones[:, self._past :] if self._real is None else self._real), dim=1)

    def _within_memory(self, known: Tensor | None) -> Tensor | None:
        """Without what a memory of limited length has lost by now, counted in real tokens."""
        limit = self._backbone.memory.length
        size = self._past + self._ids.shape[1]
        # the reference forgets beyond the limit first, then takes back the two that it reads again
        kept = size if not limit else max(limit - _READ_AGAIN, 0) + _READ_AGAIN
        if kept >= size:
            return known
        if known is None:
            known = torch.ones(len(self._ids), size, dtype=torch.bool, device=self._ids.device)
        return known & (known.flip(1).cumsum(1).flip(1) <= kept)

    def _all_segments(self) -> Tensor | None:
        """Of memory, which counts as segment 0, and text."""
        if self._segments is None:
            return None
        return nn.functional.pad(self._segments, (self._past, 0))

    @property
    def _past(self) -> int:
        return 0 if self._memory is None else self._memory.length


def _aligned_real(attention_mask: Tensor | None) -> Tensor | None:
    """The mask with the real tokens of every row at its end; ``None`` where all are real."""
    if attention_mask is None or bool(attention_mask.all()):
        return None
    return attention_mask.bool().sort(dim=1, stable=True).values
