"""Names of the tensors of ELECTRA's backbone in a checkpoint."""

from tfx_core.checkpoint import BackboneRules, Drop, Rename, Rule
from tfx_encoders.electra.config import ElectraConfig
from tfx_encoders.post_norm import post_norm_rules


def backbone_rules(config: ElectraConfig, parts: frozenset[str]) -> BackboneRules:
    """The rules."""
    project: Rule = Rename("electra.embeddings_project.{p}", "backbone.embeddings.project.{p}")
    if config.embedding_size == config.hidden_size:  # some old files hold one that nothing reads
        project = Drop("electra.embeddings_project.{p}")
    return BackboneRules((*post_norm_rules(config, "electra.").core, project), prefix="electra.")
