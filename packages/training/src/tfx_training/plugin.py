"""What tfx-training provides, as light as a plugin must be: neither torch nor accelerate is imported here."""

from typing import TYPE_CHECKING

from tfx_core import ObjectiveSpec, hookimpl

if TYPE_CHECKING:
    import click

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
            "denoising",
            target="tfx_training.objectives.denoising:Denoising",
            architectures=("bart", "mbart"),
            summary="a text out of what noise left of it: words filled in, sentences permuted",
        ),
        ObjectiveSpec(
            "gap-sentences",
            target="tfx_training.objectives.gap_sentences:GapSentences",
            architectures=("pegasus",),
            summary="a text's most important sentences, out of the others",
        ),
        ObjectiveSpec(
            "gap-sentences-and-words",
            target="tfx_training.objectives.gap_sentences:GapSentencesAndWords",
            architectures=("pegasus",),
            summary="a text's most important sentences, and words for the encoder to guess",
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


@hookimpl
def tfx_commands(cli: "click.Group") -> None:
    """``tfx-core pretrain``, ``objectives``, ``finetune`` and ``tokenizer``."""
    from tfx_training.finetuning.commands import finetune
    from tfx_training.pretraining import objectives, pretrain
    from tfx_training.vocabularies.commands import tokenizer

    for command in (finetune, objectives, pretrain, tokenizer):
        cli.add_command(command)
