"""How Transformer-XL writes: keys and values of what it remembers, not its states."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from tfx_core.generation import RowByRow, check_used
from tfx_core.model import Model, one_of
from tfx_core.nn import (
    AttentionKernel,
    DecoderCache,
    KeyValueCache,
    Memory,
    PositionKeys,
    PositionTable,
    RealTokens,
    Recorder,
    SelfAttentionCache,
    TableRows,
    expand_head_mask,
    last_tokens,
)
from tfx_decoders.transfo_xl.model import TransfoXLBackbone, after

_INPUTS = frozenset({"input_ids", "inputs_embeds", "attention_mask", "mems", "head_mask", "attention"})
_MORE_COLUMNS = 64


def transfo_xl_decoding(model: Model, inputs: Mapping[str, Any]) -> "TransfoXLDecoding":
    """The state of one generation; raises `InputError` for a head that cannot, and for inputs that it ignores."""
    predictions = model.language_head.predictions
    check_used(inputs, _INPUTS)
    backbone = model.backbone
    assert isinstance(backbone, TransfoXLBackbone)
    return TransfoXLDecoding(backbone, predictions, inputs, inputs.get("attention", model.attention))


class SlidingCache(SelfAttentionCache):
    """Keys and values of the last tokens, in buffers through which they move.

    When the end of a buffer is reached, they go back to its beginning: as seldom as there are tokens in it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._begin = 0

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Add ``(B, H, T, d)``; return views of all ``length`` keys and values."""
        end, new = self._begin + self.length, key.shape[2]
        if self._key is None or self._value is None or end + new > self._key.shape[2]:
            capacity = self.length + new + max(_MORE_COLUMNS, self.length)
            self._key = self._moved(self._key, key, capacity)
            self._value = self._moved(self._value, value, capacity)
            self._begin, end = 0, self.length
        self._key[:, :, end : end + new] = key
        self._value[:, :, end : end + new] = value
        self.length += new
        return self._held(self._key), self._held(self._value)

    def forget(self, count: int) -> None:
        """Forget the first ``count`` tokens."""
        self._begin += count
        self.length -= count

    def select(self, rows: Tensor) -> None:
        """Row ``i`` becomes what row ``rows[i]`` was; rows may repeat or be left out."""
        if self._key is not None and self._value is not None:
            self._key = self._held(self._key).index_select(0, rows)
            self._value = self._held(self._value).index_select(0, rows)
            self._begin = 0

    def _moved(self, buffer: Tensor | None, new: Tensor, capacity: int) -> Tensor:
        batch, heads, _, width = new.shape
        moved = new.new_empty(batch, heads, capacity, width)
        if buffer is not None:
            moved[:, :, : self.length] = self._held(buffer)
        return moved

    def _held(self, buffer: Tensor) -> Tensor:
        return buffer[:, :, self._begin : self._begin + self.length]


class TransfoXLDecoding(RowByRow):
    """Transformer-XL's `DecodingState`; it also reveals hidden states (contrastive search).

    A step sees the last ``mem_len`` tokens before it, as a call with their memory does, whose states it would project
    anew for each token; here it is their keys and values that are kept, and the position keys. A model without memory
    sees the whole text.
    """

    def __init__(
        self, backbone: TransfoXLBackbone, predictions: nn.Module, inputs: Mapping[str, Any], attention: AttentionKernel
    ) -> None:
        self._backbone = backbone
        self._predictions = predictions
        self._attention = attention
        self._head_mask: Tensor | None = inputs.get("head_mask")
        self._mask: Tensor | None = inputs.get("attention_mask")
        self._mems: Sequence[Tensor] | None = inputs.get("mems")
        self._prompts = one_of(inputs.get("input_ids"), inputs.get("inputs_embeds"), backbone.width)
        super().__init__(len(self._prompts), self._prompts.device)
        self._layers = tuple(SlidingCache() for _ in backbone.stack.order)
        self._cache = DecoderCache(KeyValueCache(layer) for layer in self._layers)
        self._tables: list[PositionTable] = []

    def prefill(self) -> Tensor:
        """Read the prompts; the logits ``(B, V)`` after the last real token of each."""
        return self.prefill_with_hidden()[0]

    def prefill_with_hidden(self) -> tuple[Tensor, Tensor, Tensor]:
        """`prefill`, with the prompts' last states ``(B, S, D)`` and their mask ``(B, S)``."""
        tokens = self._prompts
        x = self._backbone.vectors(tokens)
        memory, real = self._backbone.memory(self._mems, x), RealTokens.of(tokens, self._mask)
        self._tables = [PositionTable(self._backbone.rules.distances, x[:1, :1]) for _ in self._layers]
        states = self._read(x, self._cache.append(after(memory, real)), memory)
        return self._logits(last_tokens(states, real.mask)), states, real.dense_mask

    def step(self, ids: Tensor) -> Tensor:
        """Append one token ``(R,)`` to every row; the logits ``(R, V)`` of the next."""
        return self.step_with_hidden(ids)[0]

    def step_with_hidden(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """`step`, with the state ``(R, D)`` of each appended token."""
        self._forget()
        x = self._backbone.vectors(ids[:, None])
        state = self._read(x, self._cache.append(RealTokens.of(x)))[:, -1]
        return self._logits(state), state

    def take(self, rows: Tensor) -> None:
        """Row ``i`` becomes what row ``rows[i]`` was."""
        self._cache.reorder(rows)

    def _read(self, x: Tensor, real: RealTokens, memory: Memory | None = None) -> Tensor:
        keys = real.length
        position_keys: list[PositionKeys] = [TableRows(table, keys, keys + 1) for table in self._tables]
        recorder = Recorder(head_mask=expand_head_mask(self._head_mask, len(self._layers)))
        return self._backbone.read(
            x, real, self._attention, recorder, memory=memory, cache=self._cache, position_keys=position_keys
        )

    def _forget(self) -> None:
        """Keep what the next token sees: the memory's length before it, or one less where it counts itself."""
        rules = self._backbone.rules
        if not rules.memory:
            return
        kept = rules.memory if rules.reach is None else rules.reach - 1
        # rows with padding reach further back
        assert self._cache.real is not None
        self._cache.real, gone = self._cache.real.trimmed(kept)
        for layer in self._layers:
            layer.forget(gone)

    def _logits(self, states: Tensor) -> Tensor:
        logits: Tensor = self._predictions(states)
        return logits
