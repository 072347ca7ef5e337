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
            architectures=("openai-gpt", "gpt2", "ctrl", "reformer", "xlm"),
            summary="each token from those before it, in texts packed one after another",
        ),
        ObjectiveSpec(
            "segments",
            target="tfx_training.objectives.segments:Segments",
            architectures=("transfo-xl",),
            summary="each token from all before it, in segments that follow one another and are remembered",
        ),
        ObjectiveSpec(
            "translation-pairs",
            target="tfx_training.objectives.translation_pairs:TranslationPairs",
            architectures=("xlm",),
            summary="words hidden in a sentence and its translation",
        ),
    ]
