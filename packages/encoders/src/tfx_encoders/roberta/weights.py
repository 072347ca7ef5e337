"""Names of the tensors of RoBERTa's backbone in a checkpoint."""

from tfx_core.checkpoint import BackboneRules
from tfx_encoders.post_norm import post_norm_rules
from tfx_encoders.roberta.config import RobertaConfig


def backbone_rules(config: RobertaConfig, parts: frozenset[str]) -> BackboneRules:
    """The rules."""
    return post_norm_rules(config, "roberta.")
