"""Longformer (Beltagy et al. 2020): RoBERTa whose tokens see a window and global tokens, and these everything."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace

from torch import Tensor, nn

from tfx_core.model import CACHE_INPUTS, SOURCE_INPUTS, Backbone, ModelOutput, TransformerBackbone, one_of
from tfx_core.nn import (
    AttentionCall,
    AttentionKernel,
    Bias,
    CrossProjections,
    DecoderCache,
    Embeddings,
    FusedProjections,
    GlobalTokens,
    LayerCall,
    Observer,
    OffsetPositions,
    Recorder,
    Span,
    Stack,
    StackCall,
    Window,
    sdpa,
    together,
)
from tfx_encoders import post_norm
from tfx_encoders.longformer.attention import GlobalPlaces, LongformerAttention, WindowCall
from tfx_encoders.longformer.config import LongformerConfig
from tfx_encoders.longformer.reports import GlobalObserver, WindowObserver


@dataclass(frozen=True)
class WindowedCall(StackCall):
    """Gives each layer its window."""

    windows: Sequence[tuple[Window, Bias | None]] = ()
    """Of each layer, with the bias that hides what is in neither the window nor a global token."""
    places: GlobalPlaces | None = None
    global_bias: Bias | None = None
    global_attentions: list[Tensor] | None = None

    def layer(self, step: int) -> LayerCall:
        """The call of the layer that runs as number ``step``."""
        call = super().layer(step)
        window, bias = self.windows[self.first + step]
        own = WindowCall(**vars(call.self_attention), places=self.places, global_bias=self.global_bias)
        own = replace(own, bias=bias)
        return replace(call, self_attention=own if own.observer is None else self._observed(own, own.observer, window))

    def _observed(self, call: WindowCall, observer: Observer, window: Window) -> WindowCall:
        record, mask, layout = observer.record, observer.head_mask, call.layout
        of_window = WindowObserver(record, mask, window=window, places=self.places, layout=layout)
        if self.places is None:
            return replace(call, observer=of_window)
        of_global = GlobalObserver(self.global_attentions, mask, places=self.places, layout=layout)
        return replace(call, observer=of_window, global_observer=of_global)


class LongformerBackbone(TransformerBackbone):
    """An encoder each of whose layers has a window of ``windows``.

    ``autoregressive`` hides from each token what follows it, from global tokens, too.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        stack: Stack,
        windows: Sequence[Window],
        *,
        autoregressive: bool,
        pooler: nn.Module | None,
        first_position: int,
        max_positions: int,
    ) -> None:
        super().__init__(
            embeddings,
            stack,
            pooler=pooler,
            first_position=first_position,
            max_positions=max_positions,
            unread=SOURCE_INPUTS | CACHE_INPUTS,
        )
        self.windows = tuple(windows)
        self.autoregressive = autoregressive

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        cross_attn_head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        past_key_values: DecoderCache | None = None,
        use_cache: bool = False,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        attention: AttentionKernel = sdpa,
        global_attention_mask: Tensor | None = None,
    ) -> ModelOutput:
        """Ids ``(B, T)`` or ``inputs_embeds`` ``(B, T, D)`` -> states ``(B, T, D)``, pooled ``(B, D)``.

        ``global_attention_mask`` ``(B, T)`` is 1 for the tokens that see all others and are seen by all. ``attentions``
        are those of global tokens and the window, ``(B, H, T, X + w + 1)``, and ``global_attentions`` what the ``X``
        global tokens see, ``(B, H, T, X)``. Raises `InputError` for inputs that contradict each other or the positions
        that there are.
        """
        tokens = one_of(input_ids, inputs_embeds, self.width)
        span = self.span(tokens, attention_mask, position_ids)
        places = GlobalPlaces.of(span, global_attention_mask)
        of_all = span.self_attention(attention)
        call = WindowedCall(
            of_all,
            recorder=Recorder.asked(
                len(self.stack.order), states=output_hidden_states, weights=output_attentions, head_mask=head_mask
            ),
            windows=self._windows(of_all, span.known.length, places),
            places=places,
            global_bias=None if places is None else places.seen(of_all.bias),
            global_attentions=[] if output_attentions and places is not None else None,
        )
        output = self.run(self.embedded(tokens, span, token_type_ids), span, call)
        told = call.global_attentions
        return output.updated(global_attentions=None if told is None else tuple(told))

    def unchecked_span(
        self, tokens: Tensor, attention_mask: Tensor | None, positions: Tensor | None, cache: DecoderCache | None
    ) -> Span:
        """The span, in rows whose columns tell how far tokens are from each other."""
        return Span.aligned(tokens, attention_mask, causal=self.autoregressive, position_ids=positions)

    def _windows(
        self, call: AttentionCall, length: int, places: GlobalPlaces | None
    ) -> list[tuple[Window, Bias | None]]:
        """Of each layer; those that are alike share a bias, which is made once."""
        biases = {window: self._bias(window, call.bias, length, places) for window in {*self.windows}}
        return [(window, biases[window]) for window in self.windows]

    @staticmethod
    def _bias(window: Window, shared: Bias | None, length: int, places: GlobalPlaces | None) -> Bias | None:
        if window.dilation == 1 and window.before is not None and length <= window.before + 1:
            return shared  # all of a short text is in the window
        window = copy(window)  # what is made of it is of this call
        return together((shared, window if places is None else GlobalTokens(window, places.mask, both=False)))

    def prune_heads(self, heads: Mapping[int, Sequence[int]]) -> None:
        """Not offered."""
        Backbone.prune_heads(self, heads)


def build_backbone(config: LongformerConfig, parts: frozenset[str]) -> LongformerBackbone:
    """The backbone, with or without the ``"pooler"``."""
    first = config.first_position
    position = OffsetPositions(config.max_position_embeddings - first, config.hidden_size, first)
    return LongformerBackbone(
        post_norm.build_embeddings(config, position=position),
        Stack(post_norm.build_layer(config, number, _attention(config)) for number in range(config.num_hidden_layers)),
        config.windows,
        autoregressive=config.autoregressive,
        pooler=post_norm.build_pooler(config) if "pooler" in parts else None,
        first_position=first,
        max_positions=config.max_position_embeddings - first,
    )


def _attention(config: LongformerConfig) -> LongformerAttention:
    width = config.hidden_size
    return LongformerAttention(
        FusedProjections(width, width),
        CrossProjections(width, width),
        nn.Linear(width, width),
        config.num_attention_heads,
        dropout=config.attention_probs_dropout_prob,
    )
