"""An encoder and a decoder that attends to it, together or alone."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.errors import ConfigError, InputError
from tfx_core.model import CACHE_INPUTS, SOURCE_INPUTS, Backbone, ModelConfig, ModelOutput, TransformerBackbone
from tfx_core.nn import AttentionKernel, DecoderCache, sdpa

DECODER_IDS = "decoder_input_ids (labels, where those are shifted)"
"""How errors name the ids that a decoder beside its encoder reads."""

_NOT_READ = frozenset({"token_type_ids", "position_ids"})

_OF_ENCODER = ("last_hidden_state", "hidden_states", "attentions")


class Seq2SeqOutput(ModelOutput):
    """The decoder's results under their usual names, the encoder's with ``encoder_`` before them."""

    of_decoder: ClassVar[Mapping[str, str]] = {
        "hidden_states": "decoder_hidden_states",
        "attentions": "decoder_attentions",
    }
    """Results of the decoder that have another name here: both sides have these, the others only a decoder."""

    encoder_last_hidden_state: Tensor
    """``(B, S, D)``."""
    encoder_hidden_states: tuple[Tensor, ...]
    """``(B, S, D)`` each."""
    encoder_attentions: tuple[Tensor, ...]
    """``(B, H, S, S)`` each."""
    decoder_hidden_states: tuple[Tensor, ...]
    """``(B, T, D)`` each."""
    decoder_attentions: tuple[Tensor, ...]
    """``(B, H, T, T)`` each."""


class SideBackbone(TransformerBackbone):
    """An encoder or a decoder, as a side of a `Seq2SeqBackbone` or alone."""

    @property
    def input_names(self) -> frozenset[str]:
        """Without what neither side reads, and for an encoder without what is a decoder's."""
        return super().input_names - (_NOT_READ if self.causal else _NOT_READ | SOURCE_INPUTS | CACHE_INPUTS)

    def prune_heads(self, heads: Mapping[int, Sequence[int]]) -> None:
        """Not offered, as for both sides together."""
        Backbone.prune_heads(self, heads)


class Seq2SeqBackbone(Backbone):
    """Encoder and decoder.

    ``start`` makes the decoder's input and its mask out of the encoder's where the caller gives none (BART's
    classification does so); without it that is an `InputError`. ``output`` is what a call gives.
    ``placed`` lets a call say where the decoder's tokens stand.
    """

    def __init__(
        self,
        encoder: Backbone,
        decoder: Backbone,
        *,
        start: "DecoderStart | None" = None,
        output: type[Seq2SeqOutput] = Seq2SeqOutput,
        placed: bool = False,
    ) -> None:
        super().__init__(decoder.width, max_positions=encoder.max_positions)
        self.placed = placed
        self.encoder = encoder
        self.decoder = decoder
        self.start = start
        self.output = output

    @property
    def input_names(self) -> frozenset[str]:
        """Without positions of the decoder where there are none but those of its tokens."""
        return super().input_names - (frozenset() if self.placed else {"decoder_position_ids"})

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        decoder_position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        decoder_head_mask: Tensor | None = None,
        cross_attn_head_mask: Tensor | None = None,
        encoder_outputs: Any = None,
        past_key_values: DecoderCache | None = None,
        inputs_embeds: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        use_cache: bool = False,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        attention: AttentionKernel = sdpa,
    ) -> Seq2SeqOutput:
        """Source ids ``(B, S)`` and decoder ids ``(B, T)`` -> decoder states ``(B, T, D)``.

        ``encoder_outputs`` is an earlier output, or its last state ``(B, S, D)``, alone or first in a tuple; then the
        encoder does not run. Raises `InputError` for inputs that contradict each other.
        """
        wanted = {"output_attentions": output_attentions, "output_hidden_states": output_hidden_states}
        encoded = self.encode(
            encoder_outputs,
            input_ids=input_ids,
            attention_mask=attention_mask,
            inputs_embeds=inputs_embeds,
            head_mask=head_mask,
            attention=attention,
            **wanted,
        )
        if decoder_input_ids is None and decoder_inputs_embeds is None:
            mask = attention_mask if decoder_attention_mask is None else decoder_attention_mask
            decoder_input_ids, decoder_attention_mask = self._decoder_start(input_ids, mask)
        placed: dict[str, Any] = {} if decoder_position_ids is None else {"position_ids": decoder_position_ids}
        source = encoded.last_hidden_state
        check_source(source, attention_mask, decoder_input_ids, decoder_inputs_embeds)
        decoded = self.decoder(
            input_ids=decoder_input_ids,
            attention_mask=decoder_attention_mask,
            inputs_embeds=decoder_inputs_embeds,
            head_mask=decoder_head_mask,
            cross_attn_head_mask=cross_attn_head_mask,
            encoder_hidden_states=source,
            encoder_attention_mask=attention_mask,
            past_key_values=past_key_values,
            use_cache=use_cache,
            attention=attention,
            **wanted,
            **placed,
        )
        return self.output(
            token_mask=decoded.token_mask,
            **{self.output.of_decoder.get(name, name): value for name, value in decoded.items()},
            **{f"encoder_{name}": encoded.get(name) for name in _OF_ENCODER},
        )

    def encode(self, encoder_outputs: Any = None, **inputs: Any) -> ModelOutput:
        """What the encoder gives, or gave before; ``inputs`` are its own.

        Raises `InputError` for states that are not as wide as its own.
        """
        if encoder_outputs is not None:
            given = encoder_output(encoder_outputs)
            shape, width = given.last_hidden_state.shape, self.encoder.width
            if len(shape) != 3 or shape[-1] != width:
                raise InputError(f"encoder_outputs of shape {tuple(shape)}: must be states (batch, tokens, {width})")
            return given
        output: ModelOutput = self.encoder(**inputs)
        return output

    @property
    def source_reader(self) -> Backbone:
        """The encoder."""
        return self.encoder

    @property
    def text_writer(self) -> Backbone:
        """The decoder."""
        return self.decoder

    @property
    def token_tables(self) -> Sequence[tuple[nn.Module, str]]:
        """The encoder's, and the decoder's where it is the same."""
        encoders, decoders = self.encoder.token_tables, self.decoder.token_tables
        first = _weight(*encoders[0])
        return [*encoders, *(table for table in decoders if _weight(*table) is first)]

    def embed(self, input_ids: Tensor) -> Tensor:
        """Ids of a source ``(B, S)`` -> their vectors ``(B, S, D)``."""
        return self.encoder.embed(input_ids)

    def new_cache(self) -> DecoderCache:
        """An empty cache of the decoder."""
        return self.decoder.new_cache()

    def _decoder_start(self, input_ids: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if self.start is None or input_ids is None:
            raise InputError("decoder_input_ids: the decoder has no input; give them, or labels to learn from")
        return self.start(input_ids, mask)


def _weight(owner: nn.Module, name: str) -> object:
    """A token table's vectors."""
    return getattr(getattr(owner, name), "weight", None)


def shift_right(ids: Tensor, start: int | Tensor, pad: int, mask: Tensor | None = None) -> Tensor:
    """The decoder's input that predicts ``ids`` ``(B, T)``: each one later, after ``start``; -100 becomes ``pad``.

    ``start`` is one token, or ``(B, 1)``. By a ``mask`` ``(B, T)`` of the real ones each takes the place of the next
    real one, wherever padding is.
    """
    first = start.expand(ids.shape[0], 1) if isinstance(start, Tensor) else torch.full_like(ids[:, :1], start)
    after = torch.cat((first, ids), dim=1)  # (B, T + 1)
    if mask is None or mask.shape != ids.shape:  # the decoder refuses a mask that does not fit
        shifted = after[:, :-1]
    else:
        # of each place the real one before it, counted from 1; 0, the start, where there is none
        places = torch.arange(1, after.shape[1], device=ids.device) * mask.long()
        shifted = after.gather(1, F.pad(places.cummax(1).values[:, :-1], (1, 0)))
    return shifted.masked_fill(shifted == -100, pad)


Shift: TypeAlias = Callable[[ModelConfig, Tensor, Tensor | None], Tensor]
"""``(config, ids, mask)`` -> the decoder's input that predicts ``ids`` ``(B, T)``, by a mask of the real ones."""


def after_start_token(config: ModelConfig, ids: Tensor, mask: Tensor | None) -> Tensor:
    """What begins with the config's start token; raises `ConfigError` where it names none."""
    return shift_right(ids, _told(config, "decoder_start_token_id"), _told(config, "pad_token_id"), mask)


def after_last_token(config: ModelConfig, ids: Tensor, mask: Tensor | None) -> Tensor:
    """What begins with the last real token of each row, which names its language (Liu et al. 2020).

    Raises `ConfigError` where the config names no padding token.
    """
    pad = _told(config, "pad_token_id")
    real = (ids != pad) & (ids != -100)
    if mask is not None and mask.shape == ids.shape:
        real &= mask.bool()
    places = torch.arange(ids.shape[1], device=ids.device)
    last = (places * real).amax(dim=1, keepdim=True)
    return shift_right(ids, ids.gather(1, last), pad, mask)


def _told(config: ModelConfig, key: str) -> int:
    value: int | None = getattr(config, key)
    if value is None:
        raise ConfigError(f"{key}=None: what the decoder reads is shifted right with it; set model.config.{key}")
    return value


DecoderStart: TypeAlias = Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor | None]]
"""``(input_ids, attention_mask)`` -> the decoder's input and mask."""


def start_from_source(config: ModelConfig, shift: Shift = after_start_token) -> DecoderStart:
    """The decoder reads the source, shifted right; a config without the tokens for it is a `ConfigError` then."""
    return partial(_shifted_source, config, shift)  # which can be pickled with its model


def _shifted_source(
    config: ModelConfig, shift: Shift, input_ids: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    return shift(config, input_ids, mask), mask


def check_source(source: Tensor, mask: Tensor | None, ids: Tensor | None, embeds: Tensor | None) -> None:
    """Raise `InputError` where the encoder's states, their mask and the decoder's input do not fit together."""
    if mask is not None and mask.shape != source.shape[:2]:
        raise InputError(
            f"attention_mask of shape {tuple(mask.shape)}: the encoder's states are {tuple(source.shape[:2])}; "
            "must be alike"
        )
    for name, given in (("decoder_input_ids", ids), ("decoder_inputs_embeds", embeds)):
        rows = source.shape[0]  # not len: of any batch where a model is exported
        if given is not None and given.shape[0] != rows:
            raise InputError(f"{name} has {given.shape[0]} rows, the source {rows}; give one target for each source")


def encoder_output(given: Any) -> ModelOutput:
    """What a caller gives as ``encoder_outputs``; raises `InputError` for what is none."""
    if isinstance(given, Tensor):
        return ModelOutput(last_hidden_state=given)
    if isinstance(given, tuple | list) and given and isinstance(given[0], Tensor):
        return ModelOutput(last_hidden_state=given[0])
    state = getattr(given, "last_hidden_state", None)
    if not isinstance(state, Tensor):
        raise InputError(
            f"encoder_outputs of type {type(given).__name__}: must be an encoder's output, or its last state alone or "
            "first in a tuple"
        )
    if isinstance(given, ModelOutput):
        return given
    return ModelOutput(last_hidden_state=state)
