"""Names of the tensors of BERT's backbone in a checkpoint."""

from tfx_core.checkpoint import BackboneRules
from tfx_encoders.bert.config import BertConfig
from tfx_encoders.post_norm import post_norm_rules


def backbone_rules(config: BertConfig, parts: frozenset[str]) -> BackboneRules:
    """The rules."""
    return post_norm_rules(config, "bert.")
