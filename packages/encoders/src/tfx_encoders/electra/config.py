"""ELECTRA's configuration."""

from dataclasses import dataclass
from typing import ClassVar

from tfx_core.fields import Rate, Size
from tfx_core.model.heads import SummaryConfig
from tfx_core.nn import Activation
from tfx_encoders.post_norm import PostNormConfig


@dataclass(kw_only=True)
class ElectraConfig(PostNormConfig, SummaryConfig):
    """Keys of an ELECTRA's ``config.json``; the defaults are the small discriminator (Clark et al. 2020)."""

    model_type: ClassVar[str] = "electra"

    embedding_size: Size = 128
    """Width of the embeddings, which are projected where the hidden states have another."""
    hidden_size: Size = 256
    """Width of the hidden states."""
    num_attention_heads: Size = 4
    """Attention heads of each layer; together as wide as the hidden states."""
    intermediate_size: Size = 1024
    """Width of the feed-forward layers."""
    summary_activation: Activation | None = "gelu"
    """Activation after the projection of the choices' summaries."""
    summary_last_dropout: Rate = 0.1
    """Dropout after it."""

    def validate(self) -> None:
        """As for every post-norm encoder; the summary has the width that the classifier of choices reads."""
        super().validate()
        self.require(not self.summary_proj_to_labels, "summary_proj_to_labels", "false: the classifier is a layer")
