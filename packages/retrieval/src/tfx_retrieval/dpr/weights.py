"""Names of DPR's tensors: the text encoder's below ``bert_model``, whichever it is."""

from dataclasses import replace

from tfx_core.checkpoint import BackboneRules, Legacy, Rule, moved
from tfx_retrieval.dpr.config import DprConfig

PREFIX = "encoder."
"""What a head's own prefix stands in the place of."""

# what the code of the paper called them; of the reader the text encoder had no name of its own
_ORIGINAL = (
    Legacy("question_model.{x}", "question_encoder.bert_model.{x}"),
    Legacy("ctx_model.{x}", "ctx_encoder.bert_model.{x}"),
    *(
        Legacy(f"encoder.{part}.{{x}}", f"encoder.bert_model.{part}.{{x}}")
        for part in ("embeddings", "encoder", "pooler")
    ),
)


def backbone_rules(config: DprConfig, parts: frozenset[str]) -> BackboneRules:
    """The rules of the text encoder's own architecture, under other names."""
    theirs = config.text_architecture.weights(config, parts)

    def renamed(rule: Rule) -> Rule:
        return moved(rule, lambda name: f"{PREFIX}bert_model.{name.removeprefix(theirs.prefix)}", "")

    return replace(
        theirs,
        core=(*_ORIGINAL, *map(renamed, theirs.core)),
        parts={name: tuple(map(renamed, rules)) for name, rules in theirs.parts.items()},
        prefix=PREFIX,
    )
