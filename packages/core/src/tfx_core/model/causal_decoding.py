"""How a decoder with a key-value cache takes steps: the state of every decoder that takes ``past_key_values``."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.model.model import Model
from tfx_core.model.outputs import ModelOutput
from tfx_core.nn import AttentionKernel, DecoderCache, RealTokens, last_tokens

_FIRST_CALL_ONLY = ("input_ids", "inputs_embeds", "attention_mask", "position_ids", "token_type_ids")


def causal_decoding(model: Model, inputs: Mapping[str, Tensor]) -> "CausalDecoding":
    """The state of a model that is one decoder; raises `InputError` for a head or a config that cannot generate."""
    predictions = model.language_head.predictions
    if not model.backbone.causal:
        raise InputError("is_decoder=false: every token sees the ones after it; load the model with is_decoder=True")
    return CausalDecoding(model.backbone, predictions, inputs, model.attention)


class CausalDecoding:
    """A decoder's `DecodingState`; it also extends (prompt lookup) and reveals hidden states (contrastive search).

    ``decoder`` gives states ``(B, T, D)`` and takes ``past_key_values``, ``predictions`` makes their logits ``(…, V)``.
    Inputs that concern the prompt's tokens go to the first call alone, all others, such as a source, to every call.
    """

    def __init__(
        self, decoder: nn.Module, predictions: nn.Module, inputs: Mapping[str, Tensor], attention: AttentionKernel
    ) -> None:
        self._decoder = decoder
        self._predictions = predictions
        self._attention = attention
        self._prompt = {name: x for name, x in inputs.items() if name in _FIRST_CALL_ONLY}
        self._constant: dict[str, Any] = {name: x for name, x in inputs.items() if name not in _FIRST_CALL_ONLY}
        self._cache: DecoderCache | None = None
        self._last_length = 0

    def prefill(self) -> Tensor:
        """Read the prompts; the logits ``(B, V)`` after the last real token of each."""
        states, mask, _ = self._read_prompts()
        return self._logits(last_tokens(states, mask))

    def prefill_with_hidden(self) -> tuple[Tensor, Tensor, Tensor]:
        """`prefill`, with the prompts' last states ``(B, S, D)`` and their mask ``(B, S)``."""
        states, mask, real = self._read_prompts()
        return self._logits(last_tokens(states, mask)), states, real

    def step(self, ids: Tensor) -> Tensor:
        """Append one token ``(R,)`` to every row; the logits ``(R, V)`` of the next."""
        return self.step_with_hidden(ids)[0]

    def step_with_hidden(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """`step`, with the state ``(R, D)`` of each appended token."""
        state = self._append(ids[:, None])[:, -1]
        return self._logits(state), state

    def extend(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Append the first ``lengths[i]`` of ``(R, n)`` tokens to row ``i``; the logits ``(R, n, V)`` after each."""
        self._last_length = ids.shape[1]
        real = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        return self._logits(self._append(ids, attention_mask=real.long()))

    def keep(self, counts: Tensor) -> None:
        """Of the tokens of the last `extend`, keep the first ``counts[i]`` of row ``i``."""
        self._known_cache.keep(counts, of=self._last_length)

    def expand(self, copies: int) -> None:
        """Make ``copies`` adjacent rows of every row."""
        self._known_cache.expand(copies)

    def reorder(self, rows: Tensor) -> None:
        """Row ``i`` continues what row ``rows[i]`` was, always within its source."""
        self._known_cache.reorder(rows)

    def select(self, sources: Tensor) -> None:
        """Keep only these sources, with all their rows."""
        self._known_cache.select(sources)
        for name in ("encoder_hidden_states", "encoder_attention_mask"):
            if name in self._constant:
                self._constant[name] = self._constant[name].index_select(0, sources)

    def _read_prompts(self) -> tuple[Tensor, Tensor | None, Tensor]:
        mask = self._prompt.get("attention_mask")
        states = self._run(**self._prompt).last_hidden_state
        return states, mask, RealTokens.of(states, mask).dense_mask

    def _append(self, ids: Tensor, **inputs: Tensor) -> Tensor:
        """The states of further tokens ``(R, n)``."""
        states: Tensor = self._run(input_ids=ids, **inputs).last_hidden_state
        return states

    def _run(self, **inputs: Any) -> ModelOutput:
        output: ModelOutput = self._decoder(
            **{"attention": self._attention, **self._constant, **inputs},
            past_key_values=self._cache,
            use_cache=True,
        )
        self._cache = output.past_key_values
        return output

    def _logits(self, states: Tensor) -> Tensor:
        logits: Tensor = self._predictions(states)
        return logits

    @property
    def _known_cache(self) -> DecoderCache:
        if self._cache is None:
            raise RuntimeError("prefill comes first")
        return self._cache
