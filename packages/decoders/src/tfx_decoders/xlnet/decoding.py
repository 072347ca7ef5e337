"""How XLNet writes a text: a query beyond its end predicts the next token."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.generation import RowByRow, check_used
from tfx_core.model import Model
from tfx_core.nn import (
    AttentionKernel,
    DecoderCache,
    Memory,
    PositionKeys,
    PositionTable,
    RealTokens,
    Recorder,
    TableRows,
    expand_head_mask,
)
from tfx_decoders.xlnet.model import XLNetBackbone
from tfx_decoders.xlnet.streams import Reading

_READ_AGAIN = 2
_INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids", "mems", "use_mems", "head_mask", "attention"})


def xlnet_decoding(model: Model, inputs: Mapping[str, Any]) -> "XLNetDecoding":
    """The state of one generation; raises `InputError` for what cannot generate, and for inputs that it ignores."""
    predictions = model.language_head.predictions
    backbone = model.backbone
    assert isinstance(backbone, XLNetBackbone)
    if backbone.rules.backward_half:
        raise InputError("bi_data=true: half of every batch is read backwards; load the model with bi_data=False")
    check_used(inputs, _INPUTS)
    return XLNetDecoding(backbone, predictions, inputs, inputs.get("attention", model.attention))


class XLNetDecoding(RowByRow):
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
        self._real = RealTokens.of(self._ids, inputs.get("attention_mask"))
        segments = inputs.get("token_type_ids")
        self._segments = None if segments is None else self._real.of_each(segments, "token_type_ids")
        if self._real.mask is not None:
            order = self._real.order_real_last()
            self._real, self._ids = self._real.gather(order), self._ids.gather(1, order)
            self._segments = None if self._segments is None else self._segments.gather(1, order)
        mems, layers = inputs.get("mems"), len(backbone.stack.order)
        self._memory = None if mems is None else Memory.of(mems, layers, len(self._ids))
        super().__init__(len(self._ids), self._ids.device)
        self._cache = backbone.stack.new_cache()
        self._tables = [PositionTable(backbone.rules.distances, backbone.mask) for _ in range(layers)]

    def prefill(self) -> Tensor:
        """Read the prompts; the logits ``(B, V)`` after the last real token of each."""
        return self._read_all()

    def step(self, ids: Tensor) -> Tensor:
        """Append one token ``(R,)`` to every row; the logits ``(R, V)`` of the next."""
        self._ids = torch.cat((self._ids, ids[:, None]), dim=1)
        self._real = self._real.append_real()
        if self._segments is not None:
            self._segments = torch.cat((self._segments, self._segments[:, -1:]), dim=1)
        return self._read_last() if self._cached else self._read_all()

    def take(self, rows: Tensor) -> None:
        """Row ``i`` becomes what row ``rows[i]`` was."""
        self._ids = self._ids.index_select(0, rows)
        self._real = self._real.select(rows)
        self._segments = None if self._segments is None else self._segments.index_select(0, rows)
        self._memory = None if self._memory is None else self._memory.select(rows)
        self._cache.reorder(rows)

    def _read_all(self) -> Tensor:
        """Read the whole text after the memory."""
        cache = self._cache if self._cached else None
        return self._read(self._ids.shape[1], self._known, memory=self._memory, cache=cache)

    def _read_last(self) -> Tensor:
        """Read the last tokens after what is kept of the others."""
        return self._read(min(_READ_AGAIN, self._ids.shape[1]), self._within_memory(), cache=self._cache)

    def _read(
        self, count: int, real: RealTokens, *, memory: Memory | None = None, cache: DecoderCache | None = None
    ) -> Tensor:
        backbone, keys = self._backbone, real.length
        end = torch.full_like(self._ids[:, :1], count)
        # the table is also of use without a cache of keys: distances do not depend on what was read
        position_keys: Sequence[PositionKeys] = [TableRows(table, keys, keys + count) for table in self._tables]
        x = backbone.read(
            backbone.embed(self._ids[:, -count:]),
            Reading(count, real, targets=end, segments=self._all_segments()),
            self._attention,
            Recorder(head_mask=expand_head_mask(self._head_mask, len(self._tables))),
            memory=memory,
            cache=cache,
            position_keys=position_keys,
        )
        if cache is not None:
            for layer in cache.layers:
                layer.crop(keys - 1)  # the last token is read again when the next is known
        logits: Tensor = self._predictions(x[:, -1])
        return logits

    @property
    def _known(self) -> RealTokens:
        """The tokens of memory and text, ``(R, S)``."""
        return self._real if self._memory is None else self._memory.real.append(self._real)

    def _within_memory(self) -> RealTokens:
        """Without what a memory of limited length has lost by now, counted in real tokens."""
        limit = self._backbone.memory.length
        # the reference forgets beyond the limit first, then takes back the two that it reads again
        return self._known.last(max(limit - _READ_AGAIN, 0) + _READ_AGAIN) if limit else self._known

    def _all_segments(self) -> Tensor | None:
        """Of memory, which counts as segment 0, and text."""
        if self._segments is None:
            return None
        return nn.functional.pad(self._segments, (self._past, 0))

    @property
    def _past(self) -> int:
        return 0 if self._memory is None else self._memory.length
