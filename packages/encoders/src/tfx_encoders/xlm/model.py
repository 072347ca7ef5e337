"""XLM (Lample and Conneau 2019): a post-norm encoder that is told the language of each token; also causal."""

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.model import CACHE_INPUTS, SOURCE_INPUTS, Backbone, ModelOutput, TransformerBackbone, one_of
from tfx_core.model.heads import whole_labels
from tfx_core.nn import (
    ActivationFunction,
    Attention,
    AttentionKernel,
    DecoderCache,
    Embeddings,
    FeedForward,
    FusedProjections,
    Layer,
    PostNorm,
    PreNorm,
    RealTokens,
    SinusoidalPositions,
    Stack,
    check_range,
    initialise_normal,
    look_up,
    sdpa,
)
from tfx_encoders.xlm.config import XLMConfig


class LanguageEmbeddings(Embeddings):
    """Embeddings of tokens in languages; token types are looked up among the tokens, as in the released code."""

    def __init__(
        self, token: nn.Embedding, position: nn.Module, language: nn.Module, *, norm: nn.Module, dropout: float
    ) -> None:
        super().__init__(token, position, norm=norm, dropout=dropout)
        self.language = language

    def spoken(self, tokens: Tensor, langs: Tensor | None, token_type_ids: Tensor | None) -> Tensor:
        """Vectors ``(B, T, D)`` of tokens ``(B, T)`` or vectors, with what is added for their languages and types.

        Raises `InputError` where languages have no vectors.
        """
        x, real = tokens if tokens.is_floating_point() else self.vectors(tokens), RealTokens.of(tokens)
        if langs is not None:
            if not isinstance(self.language, nn.Embedding):
                raise InputError("langs: in this model languages have no vectors; leave them out")
            langs = whole_labels(real.of_each(langs, "langs"), tokens.shape[:2], "langs")
            x = x + look_up(self.language, langs, "langs")
        if token_type_ids is not None:
            x = x + look_up(self.token, real.of_each(token_type_ids, "token_type_ids"), "token_type_ids")
        return x


class XLMBackbone(TransformerBackbone):
    """A `TransformerBackbone` with languages, which can also write where every token sees the ones after it.

    Tokens ``padding`` are no text where a call has neither a mask nor positions.
    """

    embeddings: LanguageEmbeddings

    def __init__(
        self, embeddings: LanguageEmbeddings, stack: Stack, *, padding: int | None, causal: bool, max_positions: int
    ) -> None:
        # where all tokens see each other nothing is remembered
        unread = SOURCE_INPUTS if causal else SOURCE_INPUTS | CACHE_INPUTS
        super().__init__(embeddings, stack, causal=causal, max_positions=max_positions, unread=unread)
        self.padding = padding

    @property
    def text_writer(self) -> Backbone:
        """Itself, causal or not: what it predicts stands behind a mask."""
        return self

    @property
    def most_read(self) -> int | None:
        """One less than there are positions, for the mask after a text has one, too."""
        return None if self.max_positions is None else self.max_positions - 1

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
        langs: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> ModelOutput:
        """What a `TransformerBackbone` takes and gives, without a source.

        ``langs`` ``(B, T)`` are the tokens' languages. The first ``lengths`` ``(B,)`` tokens of each row are real, if
        no mask says it.
        """
        tokens = one_of(input_ids, inputs_embeds, self.width)
        if lengths is not None:
            lengths = whole_labels(lengths, tokens.shape[:1], "lengths")
            check_range(lengths, tokens.shape[1] + 1, "lengths")
        if attention_mask is None:
            attention_mask = self._real(tokens, lengths, position_ids)
        return super().forward(
            inputs_embeds=self.embeddings.spoken(tokens, langs, token_type_ids),
            attention_mask=attention_mask,
            position_ids=position_ids,
            head_mask=head_mask,
            past_key_values=past_key_values,
            use_cache=use_cache,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            attention=attention,
        )

    def _real(self, tokens: Tensor, lengths: Tensor | None, position_ids: Tensor | None) -> Tensor | None:
        """Which tokens are real, of a call without a mask; positions may tell that texts are packed into rows."""
        if lengths is not None:
            return torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
        if position_ids is not None or tokens.is_floating_point() or self.padding is None:
            return None
        return tokens != self.padding


def build_backbone(config: XLMConfig, parts: frozenset[str]) -> XLMBackbone:
    """The backbone; there are no optional parts."""
    return build_stacked(config, Stack(build_layer(config, number) for number in range(config.n_layers)))


def build_stacked(config: XLMConfig, stack: Stack) -> XLMBackbone:
    """The backbone of these layers."""
    width = config.emb_dim
    positions = SinusoidalPositions if config.sinusoidal_embeddings else nn.Embedding
    return XLMBackbone(
        LanguageEmbeddings(
            nn.Embedding(config.vocab_size, width, padding_idx=config.padding),
            positions(config.max_position_embeddings, width),
            nn.Embedding(config.n_langs, width) if config.speaks else nn.Identity(),
            norm=nn.LayerNorm(width, eps=config.layer_norm_eps),
            dropout=config.dropout,
        ),
        stack,
        padding=config.padding,
        causal=config.causal,
        max_positions=config.max_position_embeddings,
    )


def build_layer(config: XLMConfig, number: int, norm: type[PostNorm] | type[PreNorm] = PostNorm) -> Layer:
    """The layer of this number, without its pruned heads, its norms placed as ``norm`` does it."""
    width = config.emb_dim
    heads = config.n_heads - len(config.pruned_heads.get(number, ()))
    kept = heads * (width // config.n_heads)
    activation = ActivationFunction("gelu" if config.gelu_activation else "relu")
    sublayers = (
        Attention(FusedProjections(width, kept), nn.Linear(kept, width), heads, dropout=config.attention_dropout),
        FeedForward(nn.Linear(width, 4 * width), activation, nn.Linear(4 * width, width)),
    )
    return Layer(*(norm(each, nn.LayerNorm(width, eps=config.layer_norm_eps), config.dropout) for each in sublayers))


def initialise(path: str, module: nn.Module, config: XLMConfig, generator: torch.Generator | None) -> None:
    """Fill a module as the released code does."""
    deviation = config.embed_init_std if isinstance(module, nn.Embedding) else config.init_std
    initialise_normal(module, deviation, generator)
