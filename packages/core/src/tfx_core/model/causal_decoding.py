"""How a decoder with a key-value cache takes steps: the state of every decoder that takes ``past_key_values``."""

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.generation.state import REPORTS, check_used
from tfx_core.model.backbone import Backbone
from tfx_core.model.model import Model
from tfx_core.model.outputs import ModelOutput
from tfx_core.nn import AttentionKernel, DecoderCache, RealTokens, last_tokens

if TYPE_CHECKING:
    from tfx_core.generation.shortlist import Narrowed

_OF_PROMPT = ("input_ids", "inputs_embeds", "attention_mask", "position_ids")
_OF_SOURCE = ("encoder_hidden_states", "encoder_attention_mask")
_OF_EVERY_CALL = ("head_mask", "cross_attn_head_mask")
_USED = frozenset(
    {*_OF_PROMPT, "token_type_ids", *_OF_SOURCE, *_OF_EVERY_CALL, *REPORTS, "attention", "past_key_values"}
)


def causal_decoding(model: Model, inputs: Mapping[str, Any], *, also: Collection[str] = ()) -> "CausalDecoding":
    """The state of a model that is one decoder; every call is given ``also`` these inputs.

    Raises `InputError` for a head or a config that cannot generate, and for inputs that `CausalDecoding` does not know:
    an architecture that has others makes a state of its own.
    """
    head = model.language_head
    check_causal(model)
    check_used(inputs, (_USED & model.backbone.input_names).union(also))
    return CausalDecoding(model.backbone, head.predictions, inputs, model.attention, read=head.read)


def check_causal(model: Model) -> None:
    """Raise `InputError` where every token sees the ones after it, so that none can be predicted from those before."""
    if model.backbone.causal:
        return
    said = f"is_decoder={str(model.config.is_decoder).lower()}: every token sees the ones after it; "
    built = f"the author of {model.config.model_type!r} has to build its backbone with causal=True"
    if model.config.is_decoder:
        raise InputError(f"{said}this architecture does not read the key: {built}")
    raise InputError(f"{said}load the model with is_decoder=True, or, where that changes nothing, {built}")


def last_states(output: ModelOutput) -> Tensor:
    """``(B, T, D)``, what the last layer gives."""
    return output.last_hidden_state


class CausalDecoding:
    """A decoder's `DecodingState`; it also extends (guessed tokens) and reveals hidden states (contrastive search).

    ``decoder`` takes ``past_key_values``; of its output ``read`` gives the states ``(B, T, D)``, by default the last,
    and ``predictions`` makes their logits ``(…, V)``. Of ``inputs``, ids or vectors and their mask are read once; what
    is `continued` goes on with the last one, and the cache counts ``position_ids`` on; a source and masks of heads go
    to every call. ``attention`` among them is taken instead of the model's own. What is in ``past_key_values`` stands
    before the prompts; it is copied, so that the cache goes on as it was.
    """

    continued: ClassVar[tuple[str, ...]] = ("token_type_ids",)
    """Inputs ``(B, S)`` that are the same for every new token as for the last one, as in the reference."""

    def __init__(
        self,
        decoder: nn.Module,
        predictions: nn.Module,
        inputs: Mapping[str, Any],
        attention: AttentionKernel,
        *,
        read: Callable[[ModelOutput], Tensor] = last_states,
    ) -> None:
        self._decoder = decoder
        self._predictions = predictions
        self._narrowed: Narrowed | None = None
        self._read = read
        of_prompt = (*_OF_PROMPT, *self.continued)
        self._prompt: dict[str, Tensor] = {name: x for name, x in inputs.items() if name in of_prompt}
        self._source: dict[str, Tensor] = {name: x for name, x in inputs.items() if name in _OF_SOURCE}
        others = {name: x for name, x in inputs.items() if name not in of_prompt + _OF_SOURCE}
        past: DecoderCache | None = others.pop("past_key_values", None)
        self._constant: dict[str, Any] = {"attention": attention, **others}
        self._last: dict[str, Tensor] = {}
        """``(B, 1)``, of each source, of what is continued."""
        self._cache = None if past is None else past.copied()
        self._last_length = 0
        self._output, self._reported_rows = ModelOutput(), 1

    def reserve(self, length: int) -> None:
        """Texts are read up to this length: a cache that is new makes room for it at once."""
        if self._cache is None and isinstance(self._decoder, Backbone):
            self._cache = self._decoder.new_cache()
            self._cache.expect(length)

    def prefill(self) -> Tensor:
        """Read the prompts; the logits ``(B, V)`` after the last real token of each."""
        states, mask, _ = self._read_prompts()
        return self._next_logits(last_tokens(states, mask))

    def prefill_with_hidden(self) -> tuple[Tensor, Tensor, Tensor]:
        """`prefill`, with the prompts' last states ``(B, S, D)`` and their mask ``(B, S)``."""
        states, mask, real = self._read_prompts()
        return self._next_logits(last_tokens(states, mask)), states, real

    def step(self, ids: Tensor) -> Tensor:
        """Append one token ``(R,)`` to every row; the logits ``(R, V)`` of the next."""
        return self.step_with_hidden(ids)[0]

    def step_with_hidden(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """`step`, with the state ``(R, D)`` of each appended token."""
        state = self._append(ids[:, None])[:, -1]
        return self._next_logits(state), state

    def extend(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Append the first ``lengths[i]`` of ``(R, n)`` tokens to row ``i``; the logits ``(R, n, V)`` after each."""
        self._last_length += ids.shape[1]
        return self._logits(self._append(ids, lengths))

    def keep(self, counts: Tensor) -> None:
        """Of the tokens of each `extend` since the last time, keep the first ``counts[i]`` of row ``i``."""
        self._known_cache.keep(counts, of=self._last_length)
        self._last_length = 0

    def expand(self, copies: int) -> None:
        """Make ``copies`` adjacent rows of every row."""
        self._known_cache.expand(copies)

    def reorder(self, rows: Tensor) -> None:
        """Row ``i`` continues what row ``rows[i]`` was, always within its source."""
        self._known_cache.reorder(rows)

    def select(self, sources: Tensor) -> None:
        """Keep only these sources, with all their rows."""
        self._known_cache.select(sources)
        self._source = {name: x.index_select(0, sources) for name, x in self._source.items()}
        self._last = {name: x.index_select(0, sources) for name, x in self._last.items()}
        if self._narrowed is not None:
            self._narrowed.select(sources)

    def remembered(self, rows: Tensor) -> DecoderCache:
        """A cache of these rows, with which a later call goes on."""
        with torch.inference_mode(mode=False), torch.no_grad():
            return self._known_cache.of_rows(rows)

    def narrow(self, narrowed: "Narrowed") -> None:
        """Compute the logits of some tokens alone from now on."""
        self._narrowed = narrowed

    def reports(self) -> dict[str, tuple[Tensor, ...]]:
        """Attentions and hidden states of the last call, where they are asked for."""
        found = {name: self._output[name] for name in ("attentions", "hidden_states") if name in self._output}
        if "cross_attentions" in self._output:
            rows = self._reported_rows
            # rows of a source attend as one longer row
            found["cross_attentions"] = tuple(
                each.view(*each.shape[:2], rows, -1, each.shape[3]).transpose(1, 2).flatten(0, 1)
                for each in self._output.cross_attentions
            )
        return found

    def source_reports(self) -> dict[str, tuple[Tensor, ...]]:
        """Nothing: a source is given, not read."""
        return {}

    def _read_prompts(self) -> tuple[Tensor, Tensor | None, Tensor]:
        mask = self._prompt.get("attention_mask")
        states = self._read(self._run(**self._prompt))
        real = RealTokens.of(states, mask)
        for name in self.continued:
            if name in self._prompt:
                self._last[name] = last_tokens(self._prompt[name].expand(real.batch, -1)[..., None], real.mask)
        return states, mask, real.dense_mask

    def _append(self, ids: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The states of further tokens ``(R, n)``, of which the first ``lengths[i]`` of row ``i`` are real, or all."""
        inputs = {"input_ids": ids}
        if lengths is not None:
            inputs["attention_mask"] = (torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]).long()
        for name, last in self._last.items():
            inputs[name] = last.repeat_interleave(self._known_cache.rows_per_source, dim=0).expand_as(ids)
        return self._read(self._run(**inputs))

    def _run(self, **inputs: Tensor) -> ModelOutput:
        output: ModelOutput = self._decoder(
            **{**self._constant, **self._source, **inputs}, past_key_values=self._cache, use_cache=True
        )
        self._cache, self._output = output.past_key_values, output
        self._reported_rows = self._known_cache.rows_per_source
        return output

    def _next_logits(self, state: Tensor) -> Tensor:
        """Of the token after those whose last states ``(R, D)`` these are."""
        return self._logits(state)

    def _logits(self, states: Tensor) -> Tensor:
        logits: Tensor = (self._narrowed or self._predictions)(states)
        return logits

    @property
    def _known_cache(self) -> DecoderCache:
        if self._cache is None:
            raise RuntimeError("prefill comes first")
        return self._cache
