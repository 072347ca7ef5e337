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
            "permutation",
            target="tfx_training.objectives.permutation:PermutedTokens",
            architectures=("xlnet",),
            summary="some tokens of a text in a random order, each from those before it in that order",
        ),
        ObjectiveSpec(
            "span-corruption",
            target="tfx_training.objectives.span_corruption:SpanCorruption",
            architectures=("t5", "mt5"),
            summary="spans of a text, in the order of the marks that stand for them",
        ),
        ObjectiveSpec(
            "future-n-grams",
            target="tfx_training.objectives.future_n_grams:FutureNGrams",
            architectures=("prophetnet", "xlm-prophetnet"),
            summary="fragments of a text, each token from those right before it and from further before",
        ),
        ObjectiveSpec(
            "text-to-text",
            target="tfx_training.objectives.text_to_text:TextToText",
            architectures=("t5", "marian"),
            summary="a target of a source: tasks with a prefix, translation, summaries",
        ),
    ]
