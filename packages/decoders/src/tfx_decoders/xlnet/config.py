"""XLNet's configuration."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from tfx_core.fields import Count, Positive, Rate, Size
from tfx_core.model import ModelConfig
from tfx_core.model.heads import SpanBeamConfig, SummaryConfig, SummaryKind
from tfx_core.nn import Activation


@dataclass(kw_only=True)
class XLNetConfig(SummaryConfig, SpanBeamConfig):
    """Keys of an XLNet's ``config.json``; the defaults are the large released model (Yang et al. 2019)."""

    model_type: ClassVar[str] = "xlnet"
    aliases: ClassVar[Mapping[str, str]] = {
        "hidden_size": "d_model",
        "intermediate_size": "d_inner",
        "n_token": "vocab_size",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
        "use_cache": "use_mems_eval",
    }
    absent: ClassVar[Mapping[str, str]] = {"max_position_embeddings": "texts have no longest length here"}
    settable: ClassVar[Collection[str]] = {*ModelConfig.settable, "use_mems_eval", "use_mems_train"}

    vocab_size: Size = 32000
    """Number of tokens."""
    d_model: Size = 1024
    """Width of the hidden states."""
    n_layer: Count = 24
    """Number of layers."""
    n_head: Size = 16
    """Attention heads of each layer; together as wide as the hidden states."""
    d_head: Size | None = None
    """Width of one head, where a file says it: ``d_model`` divided by ``n_head``."""
    d_inner: Size = 4096
    """Width of the feed-forward layers."""
    ff_activation: Activation = "gelu"
    """Activation of the feed-forward layers."""
    untie_r: bool = True
    """Whether every layer was trained with position biases of its own; files hold them for each layer in any case."""
    attn_type: Literal["bi", "uni"] = "bi"
    """Whether a token may see what follows (XLNet), or only itself and what came before (Transformer-XL)."""
    initializer_range: Positive = 0.02
    """Standard deviation of a new model's weights."""
    dropout: Rate = 0.1
    """Dropout of embeddings, attention weights and every sublayer's output."""
    mem_len: Count | None = 512
    """Most tokens that the memory holds; all if null or 0."""
    reuse_len: Count | None = None
    """Number of a call's first tokens that are remembered; all if null or 0."""
    use_mems_eval: bool = True
    """Whether a call returns its memory by default outside of training."""
    use_mems_train: bool = False
    """Whether it does in training."""
    bi_data: bool = False
    """Whether the second half of a batch is text read backwards, as in pretraining."""
    clamp_len: int = -1
    """Distance beyond which all are taken for equal; none if not positive."""
    same_length: bool = False
    """Whether, with ``attn_type`` ``uni``, every token looks back as far as the memory is long."""
    summary_type: SummaryKind = "last"
    """Which state the classifiers of texts and choices read; ``cls_index`` is the last one, too."""
    summary_activation: Activation | None = "tanh"
    """Activation after the projection."""
    summary_last_dropout: Rate = 0.1
    """Dropout after the activation."""
    pad_token_id: int | None = 5
    """Id of the padding token."""
    bos_token_id: int | None = 1
    """Id that starts a text."""
    eos_token_id: int | tuple[int, ...] | None = 2
    """Id that ends a text."""

    def validate(self) -> None:
        """Heads divide the hidden size; the summary has the width that its classifier reads."""
        self.require(self.d_model % self.n_head == 0, "n_head", f"a divisor of d_model={self.d_model}")
        self.require(self.d_model % 2 == 0, "d_model", "even, for sines and cosines")
        width = self.d_model // self.n_head
        self.require(self.d_head in (None, width), "d_head", f"d_model / n_head = {width}")
        self.require(not self.summary_proj_to_labels, "summary_proj_to_labels", "false: the classifier is a layer")
