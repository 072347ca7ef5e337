"""The backbone of encoders and decoders of one stack: embeddings, layers and perhaps a pooler, all of them parts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.habits import hint
from tfx_core.model.backbone import Backbone
from tfx_core.model.outputs import ModelOutput
from tfx_core.nn import (
    AttentionKernel,
    DecoderCache,
    Embeddings,
    Recorder,
    Span,
    Stack,
    StackCall,
    expand_head_mask,
    first_tokens,
    sdpa,
)

SOURCE_INPUTS = frozenset({"encoder_hidden_states", "encoder_attention_mask", "cross_attn_head_mask"})
"""Inputs of a `TransformerBackbone` that mean nothing where there is no cross-attention."""

CACHE_INPUTS = frozenset({"past_key_values", "use_cache"})
"""Those that mean nothing where every token sees the ones after it."""


class TransformerBackbone(Backbone):
    """Embeddings, a stack and a pooler.

    ``causal`` lets each token see only itself and what came before. ``pooler`` reads the state of the first token.
    ``position_bias`` makes a bias ``(B|1, H, T, S)`` of a `Geometry`, which all layers add to their scores. ``width``
    is that of the token vectors unless it is given. `first_position` moves ``position_ids`` alone: the embeddings get
    positions from 0 on. ``unread`` names the inputs of a call that this one does not take.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        stack: Stack,
        *,
        pooler: nn.Module | None = None,
        position_bias: nn.Module | None = None,
        causal: bool = False,
        first_position: int = 0,
        max_positions: int | None = None,
        width: int | None = None,
        unread: Collection[str] = (),
    ) -> None:
        width = embeddings.token.embedding_dim if width is None else width
        super().__init__(width, max_positions=max_positions, causal=causal)
        self.first_position = first_position
        self.unread = frozenset(unread)
        self.embeddings = embeddings
        self.stack = stack
        self.pooler = pooler
        self.position_bias = position_bias

    @property
    def input_names(self) -> frozenset[str]:
        """Names of the inputs that a call takes: ``token_type_ids`` only where the embeddings read them.

        A subclass with a ``forward`` of its own may read them there.
        """
        read = type(self).forward is not TransformerBackbone.forward or self.embeddings.reads_segments
        return super().input_names - self.unread - (frozenset() if read else {"token_type_ids"})

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
    ) -> ModelOutput:
        """Ids ``(B, T)`` or ``inputs_embeds`` ``(B, T, D)`` -> states ``(B, T, D)``, pooled ``(B, D)``.

        ``attention_mask`` is ``(B, T)``, or ``(B, T, T)``, which says all that each token sees, also in a causal model,
        and takes none for padding. With ``use_cache``, or a cache to go on from, pass only the new tokens. Raises
        `InputError` for inputs that contradict each other or the positions that there are.
        """
        tokens = one_of(input_ids, inputs_embeds, self.embeddings.token.weight.shape[1])
        layers = len(self.stack.order)
        cache = self.new_cache() if use_cache and past_key_values is None else past_key_values
        if cache is not None:
            cache.check_fits(rows=len(tokens), layers=layers)
        span = self.span(tokens, attention_mask, position_ids, cache)
        call = StackCall(
            span.self_attention(attention),
            span.cross_attention(attention, encoder_hidden_states, encoder_attention_mask, cache),
            cache,
            replace(
                Recorder.asked(layers, states=output_hidden_states, weights=output_attentions, head_mask=head_mask),
                cross_attentions=[] if output_attentions and encoder_hidden_states is not None else None,
                cross_head_mask=expand_head_mask(cross_attn_head_mask, layers),
            ),
        )
        output = self.run(self.embedded(tokens, span, token_type_ids), span, call)
        return output.updated(past_key_values=cache if use_cache else None)

    def span(
        self,
        tokens: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: DecoderCache | None = None,
    ) -> Span:
        """What a call brings, its positions checked and the bias of all layers made."""
        given = None if position_ids is None else position_ids - self.first_position
        span = self.unchecked_span(tokens, attention_mask, given, cache)
        span.check_positions(self.max_positions, self.first_position, self.embeddings.ids_name)
        return span if self.position_bias is None else span.biased(self.position_bias(span.geometry))

    def unchecked_span(
        self, tokens: Tensor, attention_mask: Tensor | None, positions: Tensor | None, cache: DecoderCache | None
    ) -> Span:
        """The span of a call whose own ``positions`` begin at 0; what counts by columns makes an aligned one."""
        return Span.of(tokens, attention_mask, causal=self.causal, position_ids=positions, cache=cache)

    def embedded(self, tokens: Tensor, span: Span, token_type_ids: Tensor | None = None) -> Tensor:
        """What the stack reads of ids ``(B, T)`` or vectors ``(B, T, D)``, packed by the span's layout."""
        pack = span.layout.pack
        types = None if token_type_ids is None else pack(span.new.of_each(token_type_ids, "token_type_ids"))
        x: Tensor = self.embeddings(pack(tokens), pack(span.positions), types)
        return x

    def run(self, x: Tensor, span: Span, call: StackCall) -> ModelOutput:
        """The stack over packed vectors: states ``(B, T, D)``, pooled ``(B, D)``, and what the call reports.

        An architecture with inputs of its own embeds and makes the call in its own ``forward``, and goes on here.
        """
        x = span.layout.unpack(self.stack(x, call))  # (B, T, D)
        return ModelOutput(
            last_hidden_state=x,
            pooler_output=None if self.pooler is None else self.pooler(first_tokens(x, span.new.mask)),
            token_mask=span.new.mask,
            **call.recorder.reports(),
        )

    def embed(self, input_ids: Tensor) -> Tensor:
        """Ids ``(B, T)`` -> the token table's vectors ``(B, T, D)``, scaled where the model does that."""
        return self.embeddings.vectors(input_ids)

    def new_cache(self) -> DecoderCache:
        """What the stack remembers of a text that has not begun."""
        return self.stack.new_cache()

    def prune_heads(self, heads: Mapping[int, Sequence[int]]) -> None:
        """Remove attention heads: layer -> numbers of the heads, counted in the layer as it is now."""
        self.stack.prune_heads(heads)


def one_of(input_ids: Tensor | None, inputs_embeds: Tensor | None, width: int | None = None) -> Tensor:
    """The ids ``(B, T)`` or the vectors ``(B, T, width)``, whichever was given.

    Raises `InputError` for both, for neither, and for other shapes.
    """
    if input_ids is not None and inputs_embeds is not None:
        raise InputError("input_ids and inputs_embeds were both given; give one of them")
    tokens = inputs_embeds if input_ids is None else input_ids
    if tokens is None:
        raise InputError("neither input_ids nor inputs_embeds was given; give one of them")
    axes = "(batch, tokens)" if inputs_embeds is None else "(batch, tokens, width)"
    if tokens.dim() != len(axes.split()) or 0 in tokens.shape[:2]:
        one = f"; {hint('model(…)', 'model(torch.tensor([1, 2]))')}" if tokens.dim() == 1 else ""
        raise InputError(f"input of shape {tuple(tokens.shape)}: must be {axes} with at least one of each{one}")
    if inputs_embeds is not None and width is not None and inputs_embeds.shape[-1] != width:
        raise InputError(f"inputs_embeds of shape {tuple(tokens.shape)}: this model reads vectors {width} wide")
    if inputs_embeds is not None and not inputs_embeds.is_floating_point():
        raise InputError(f"inputs_embeds of type {inputs_embeds.dtype}: must be vectors of floating-point numbers")
    return tokens
