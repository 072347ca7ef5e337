"""What tfx-training provides, as light as a plugin must be: neither torch nor accelerate is imported here."""

from tfx_core import ObjectiveSpec, hookimpl

TFX_API = 1


@hookimpl
def tfx_objectives() -> list[ObjectiveSpec]:
    """How the models of the families were pretrained."""
    return [
        ObjectiveSpec(
            "causal",
            target="tfx_training.objectives.causal:NextTokens",
            architectures=("openai-gpt", "gpt2", "ctrl", "reformer"),
            summary="each token from those before it, in texts packed one after another",
        ),
        ObjectiveSpec(
            "distillation",
            target="tfx_training.objectives.distillation:Distillation",
            architectures=("distilbert",),
            summary="hidden tokens, and what a larger model says of all tokens",
        ),
        ObjectiveSpec(
            "replaced-tokens",
            target="tfx_training.objectives.replaced_tokens:ReplacedTokens",
            architectures=("electra", "funnel", "convbert"),
            summary="which tokens a small generator, that learns beside, has put in the place of others",
        ),
    ]
