"""ConvBERT's configuration."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from tfx_core.fields import Size
from tfx_core.model.heads import SummaryConfig, SummaryKind
from tfx_encoders.post_norm.config import PostNormConfig


@dataclass(kw_only=True)
class ConvBertConfig(PostNormConfig, SummaryConfig):
    """Keys of a ConvBERT's ``config.json``; the defaults are the base model's (Jiang et al. 2020).

    Where the file does not describe the summary that multiple choice reads, it is the last token's state.
    """

    model_type: ClassVar[str] = "convbert"

    embedding_size: Size = 768
    """Width of the token vectors, which are projected where the hidden states have another."""
    head_ratio: Size = 2
    """By how much the number of attention heads is reduced, γ; at least one is left."""
    conv_kernel_size: Size = 9
    """How many tokens a convolution sees, the one in the middle included; an odd number."""
    num_groups: Size = 1
    """Groups of the feed-forward layers' inputs and outputs; each output is computed from its group alone."""
    position_embedding_type: Literal["absolute"] = "absolute"
    """Learned positions, added to the embeddings."""
    summary_type: SummaryKind = "last"
    """Which state the multiple-choice head reads; ``cls_index`` is the last one, too."""
    summary_use_proj: bool = False
    """Whether that state is projected."""
    pad_token_id: int | None = 1
    """Id whose vector is not learned; the released vocabularies' padding token has another, 0."""
    bos_token_id: int | None = 0
    """Of no effect."""
    eos_token_id: int | tuple[int, ...] | None = 2
    """Of no effect."""

    def validate(self) -> None:
        """Besides what BERT asks for: halves of heads, groups and a middle of the kernel; no decoder."""
        super().validate()
        self.require(
            self.hidden_size % (2 * self.reduced_heads) == 0,
            "head_ratio",
            f"such that {self.reduced_heads} heads of attention and as many of convolution share "
            f"hidden_size={self.hidden_size}",
        )
        self.require(self.conv_kernel_size % 2 == 1, "conv_kernel_size", "odd, for a token to be in the middle")
        for name in ("hidden_size", "intermediate_size"):
            size = getattr(self, name)
            self.require(size % self.num_groups == 0, "num_groups", f"a divisor of {name}={size}")
        self.require(not self.is_decoder, "is_decoder", "false: a convolution sees the tokens that follow")
        self.require(
            not (self.summary_use_proj and self.summary_proj_to_labels),
            "summary_proj_to_labels",
            "false: a classifier reads the summary",
        )

    @property
    def reduced_heads(self) -> int:
        """How many heads of attention there are, and of convolution."""
        return max(1, self.num_attention_heads // self.head_ratio)

    @property
    def prunable(self) -> None:
        """None: the reference removes heads of attention and leaves the convolution, which then no longer fits."""
