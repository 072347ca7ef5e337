"""BERT's configuration."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from tfx_encoders.post_norm.config import PostNormConfig


@dataclass(kw_only=True)
class BertConfig(PostNormConfig):
    """Keys of a BERT's ``config.json``; the defaults are BERT-base, uncased (Devlin et al. 2019)."""

    model_type: ClassVar[str] = "bert"
    # of the first multilingual and Chinese models; their code never read them
    inert_keys: ClassVar[Collection[str]] = (
        "directionality", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers",
        "pooler_size_per_head", "pooler_type",
    )  # fmt: skip
