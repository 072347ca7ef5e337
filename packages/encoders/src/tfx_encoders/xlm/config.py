"""XLM's configuration."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from tfx_core.fields import Between, Count, Positive, Rate, Size
from tfx_core.model.heads import SpanBeamConfig, SummaryConfig


@dataclass(kw_only=True)
class XLMConfig(SummaryConfig, SpanBeamConfig):
    """Keys of an XLM's ``config.json``; the defaults are the English released model (Lample and Conneau 2019)."""

    model_type: ClassVar[str] = "xlm"
    aliases: ClassVar[Mapping[str, str]] = {
        "hidden_size": "emb_dim",
        "n_words": "vocab_size",
        "num_attention_heads": "n_heads",
        "num_hidden_layers": "n_layers",
    }
    absent: ClassVar[Mapping[str, str]] = {"intermediate_size": "feed-forward layers are four times as wide as emb_dim"}
    settable: ClassVar[Collection[str]] = {*SummaryConfig.settable, "mask_token_id", "lang_id"}
    # names of languages and tokens for tokenizers, and how the released models were trained
    inert_keys: ClassVar[Collection[str]] = (
        "amp", "bos_index", "bptt", "clip_grad_norm", "encoder_only", "eos_index", "fp16", "group_by_size", "id2lang",
        "lang2id", "langs", "lg_sampling_factor", "lgs", "mask_index", "max_batch_size", "max_vocab", "min_count",
        "mlm_steps", "sample_alpha", "share_inout_emb", "tokens_per_batch", "unk_index", "word_blank", "word_dropout",
        "word_keep", "word_mask", "word_mask_keep_rand", "word_pred", "word_rand", "word_shuffle",
    )  # fmt: skip
    neutral_values: ClassVar[Mapping[str, Collection[Any]]] = {
        "is_encoder": (True,),  # decoders with cross-attention were never released
        "same_enc_dec": (True,),
    }

    vocab_size: Size = 30145
    """Number of tokens."""
    emb_dim: Size = 2048
    """Width of the hidden states."""
    n_layers: Count = 12
    """Number of layers."""
    n_heads: Size = 16
    """Attention heads of each layer; together as wide as the hidden states."""
    dropout: Rate = 0.1
    """Dropout of the embeddings, of each sublayer's output and before the classifier of tokens."""
    attention_dropout: Rate = 0.1
    """Dropout of the attention weights."""
    gelu_activation: bool = True
    """Whether the feed-forward layers have a GELU, not a ReLU."""
    sinusoidal_embeddings: bool = False
    """Whether positions are sines and cosines that do not learn."""
    causal: bool = False
    """Whether each token sees only itself and what came before."""
    asm: bool = False
    """Whether the language model has an adaptive softmax (Grave et al. 2017)."""
    asm_cutoffs: tuple[Size, ...] = (8000, 20000)
    """Where its clusters of rarer tokens begin."""
    asm_div_value: Annotated[float, Between(1, 1024)] = 4.0
    """How many times narrower each cluster is than the one before."""
    n_langs: Size = 1
    """Number of languages."""
    use_lang_emb: bool = True
    """Whether languages, where there are several, have vectors."""
    max_position_embeddings: Size = 512
    """Longest input, in tokens."""
    embed_init_std: Positive = 2048**-0.5
    """Standard deviation of a new model's vectors."""
    init_std: Positive = 0.02
    """Standard deviation of its other weights."""
    summary_proj_to_labels: bool = True
    """Whether the projection gives the logits of the classes."""
    summary_first_dropout: Rate = 0.1
    """Dropout before the projection."""
    mask_token_id: Count = 0
    """Id of the token that stands, while a text is written, where the next one will."""
    lang_id: Count | None = 0
    """Language in which a text is written that does not say it."""
    pad_index: Count | None = None
    """Id of the padding token where it is not ``pad_token_id``."""
    pad_token_id: int | None = 2
    """Id of the padding token."""
    bos_token_id: int | None = 0
    """Id that starts a text."""

    def validate(self) -> None:
        """Heads divide the width, special tokens and clusters lie within the vocabulary."""
        self.require(self.emb_dim % self.n_heads == 0, "n_heads", f"a divisor of emb_dim={self.emb_dim}")
        self.require(not self.is_decoder, "is_decoder", "false: causal=true makes it predict what follows")
        for name in ("pad_token_id", "pad_index", "mask_token_id"):
            token = getattr(self, name)
            self.require(token is None or 0 <= token < self.vocab_size, name, f"below vocab_size={self.vocab_size}")
        self.require(
            self.lang_id is None or not self.speaks or self.lang_id < self.n_langs,
            "lang_id",
            f"null or one of 0 to {self.n_langs - 1}, for n_langs={self.n_langs}",
        )
        if self.asm:
            ends = (*self.asm_cutoffs, self.vocab_size)
            self.require(
                len(ends) > 1 and all(one < other for one, other in pairwise(ends)),
                "asm_cutoffs",
                f"at least one, increasing, and less than vocab_size={self.vocab_size}",
            )
            width = self.emb_dim / self.asm_div_value ** len(self.asm_cutoffs)
            self.require(width >= 1, "asm_div_value", f"so small that {len(self.asm_cutoffs)} clusters have a width")

    @property
    def prunable(self) -> tuple[int, int]:
        """All layers and heads."""
        return self.n_layers, self.n_heads

    @property
    def speaks(self) -> bool:
        """Whether languages have vectors."""
        return self.use_lang_emb and self.n_langs > 1

    @property
    def padding(self) -> int | None:
        """Id of the padding token."""
        return self.pad_token_id if self.pad_index is None else self.pad_index
