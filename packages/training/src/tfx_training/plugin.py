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
            "masked-words",
            target="tfx_training.objectives.masked_words:MaskedWords",
            architectures=("bert", "roberta", "xlm-roberta", "distilbert", "longformer", "flaubert", "xlm"),
            summary="hidden words from those around them, in rows of whole sentences",
        ),
        ObjectiveSpec(
            "next-sentence",
            target="tfx_training.objectives.next_sentence:NextSentence",
            architectures=("bert",),
            summary="hidden words, and whether a segment follows the one before it",
        ),
        ObjectiveSpec(
            "sentence-order",
            target="tfx_training.objectives.sentence_order:SentenceOrder",
            architectures=("albert",),
            summary="hidden n-grams, and which of two segments comes first",
        ),
    ]
