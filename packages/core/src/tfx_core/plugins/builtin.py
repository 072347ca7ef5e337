"""What the core itself provides, through the same hooks as every other plugin."""

from tfx_core.plugins.hookspecs import hookimpl
from tfx_core.plugins.specs import AttentionSpec, LinearSpec, TaskSpec


@hookimpl
def tfx_attentions() -> list[AttentionSpec]:
    """The attention kernels of the core, the default first, and the patterns."""
    return [
        AttentionSpec("sdpa", target="tfx_core.nn.kernels:sdpa", summary="torch's fused attention; the default"),
        AttentionSpec("eager", target="tfx_core.nn.kernels:eager", summary="in separate steps, to read and to compare"),
        AttentionSpec("full", target="tfx_core.nn.kernels:sdpa", summary="each token sees all; the same as sdpa"),
        AttentionSpec(
            "window",
            target="tfx_core.nn.patterns:window",
            example="window(128)",
            summary="each token sees so many before and after itself",
        ),
        AttentionSpec(
            "global",
            target="tfx_core.nn.patterns:first_tokens_global",
            example="global(128, first=1)",
            summary="a window, and first tokens that see all and are seen by all",
        ),
        AttentionSpec(
            "chunks",
            target="tfx_core.nn.patterns:chunks",
            example="chunks(64, before=1, after=0)",
            summary="each token sees its chunk of the text and some before and after it",
        ),
    ]


@hookimpl
def tfx_linears() -> list[LinearSpec]:
    """The types of weights that the core packs."""
    target = "tfx_core.nn.linears.choices:{}".format
    return [
        LinearSpec("float32", target=target("float32"), summary="as they are, in blocks"),
        LinearSpec("bfloat16", target=target("bfloat16"), summary="half the memory; the fastest with AMX or AVX-512"),
        LinearSpec("int8", target=target("int8"), summary="a quarter of the memory; the fastest for a few rows"),
    ]


@hookimpl
def tfx_tasks() -> list[TaskSpec]:
    """The tasks that the core carries out."""
    return [
        TaskSpec(
            "fill-mask",
            target="tfx_core.tasks.fill_mask:FillMask",
            heads=("masked-lm", "pretraining"),
            summary="the most probable tokens in the place of each mask token",
        ),
        TaskSpec(
            "text-classification",
            target="tfx_core.tasks.text_classification:TextClassification",
            heads=("sequence-classification",),
            aliases=("sentiment-analysis",),
            summary="the class of a text, or of a pair of texts",
        ),
        TaskSpec(
            "zero-shot-classification",
            target="tfx_core.tasks.zero_shot:ZeroShotClassification",
            heads=("sequence-classification",),
            yields_to=("text-classification",),
            summary="which of some labels, given with the text, a model of entailment finds it to have",
        ),
        TaskSpec(
            "token-classification",
            target="tfx_core.tasks.token_classification:TokenClassification",
            heads=("token-classification",),
            aliases=("ner",),
            summary="a label for each token, or the entities that the labels spell out",
        ),
        TaskSpec(
            "question-answering",
            target="tfx_core.tasks.question_answering:QuestionAnswering",
            heads=("question-answering",),
            summary="the part of a context that answers a question",
        ),
        TaskSpec(
            "feature-extraction",
            target="tfx_core.tasks.feature_extraction:FeatureExtraction",
            heads=("backbone", "encoder-only"),
            aliases=("embeddings",),
            summary="vectors of a text: one for each token, or one pooled from them",
        ),
        TaskSpec(
            "sentence-similarity",
            target="tfx_core.tasks.sentence_similarity:SentenceSimilarity",
            heads=("backbone", "encoder-only"),
            yields_to=("feature-extraction",),
            summary="how alike two texts are, or each of some with each of others",
        ),
        TaskSpec(
            "text-generation",
            target="tfx_core.tasks.text_generation:TextGeneration",
            heads=("causal-lm",),
            summary="a text that goes on from a prompt",
        ),
        TaskSpec(
            "perplexity",
            target="tfx_core.tasks.perplexity:Perplexity",
            heads=("causal-lm",),
            summary="how well a language model predicts a text: perplexity and bits per byte",
        ),
        TaskSpec(
            "summarization",
            target="tfx_core.tasks.text2text:Summarization",
            heads=("conditional-generation",),
            summary="a short text that says what a long one says",
        ),
        TaskSpec(
            "translation",
            target="tfx_core.tasks.translation:Translation",
            heads=("conditional-generation",),
            aliases=("translation_{src_lang}_to_{tgt_lang}",),
            summary="a text in another language",
        ),
        TaskSpec(
            "text2text-generation",
            target="tfx_core.tasks.text2text:Text2TextGeneration",
            heads=("conditional-generation",),
            aliases=("text2text",),
            summary="whatever text the model was trained to make of a text",
        ),
    ]
