"""The names that are tfx's own: a missing one is answered with what to install, and nobody else's goes before it."""

from collections.abc import Mapping
from functools import cache

from tfx_core.plugins import builtin
from tfx_core.plugins.specs import KINDS

CORE = "tfx-core"

NAMES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "tfx-decoders": {"architecture": ("ctrl", "gpt2", "openai-gpt", "reformer", "transfo-xl", "xlnet")},
    "tfx-encoders": {
        "architecture": (
            *("albert", "bert", "convbert", "distilbert", "electra"),
            *("flaubert", "funnel", "longformer", "roberta", "xlm", "xlm-roberta"),
        ),
        "command": ("convert",),
    },
    "tfx-seq2seq": {
        "architecture": ("bart", "marian", "mbart", "mt5", "pegasus", "prophetnet", "t5", "xlm-prophetnet")
    },
    "tfx-multimodal": {"architecture": ("mmbt", "resnet"), "task": ("multimodal-classification",)},
    "tfx-retrieval": {
        "architecture": ("dpr", "rag"),
        "task": ("open-domain-question-answering", "retrieval-augmented-generation"),
        "index": ("flat", "hnsw", "ivf-disk", "ivf-flat", "ivf-pq", "milvus", "sq8"),
        "command": ("index",),
    },
    "tfx-training": {
        "objective": (
            *("causal", "denoising", "distillation", "future-n-grams", "gap-sentences"),
            *("gap-sentences-and-words", "masked-words", "next-sentence", "permutation", "replaced-tokens"),
            *("segments", "sentence-order", "span-corruption", "text-to-text", "translation-pairs"),
        ),
        "command": ("finetune", "objectives", "pretrain", "tokenizer"),
    },
    "tfx-testing": {},
}
"""Distribution -> kind (`Spec.kind`, or ``"command"``) -> names. What comes with the core cannot be missing."""

DISTRIBUTIONS = frozenset((CORE, *NAMES))


def names(kind: str) -> list[str]:
    """All official names of a kind, installed or not."""
    return [name for kinds in NAMES.values() for name in kinds.get(kind, ())]


def distribution_of(kind: str, name: str) -> str | None:
    """The tfx distribution that provides a name, or ``None`` when none does."""
    return next((distribution for distribution, kinds in NAMES.items() if name in kinds.get(kind, ())), None)


def owner(kind: str, name: str) -> str | None:
    """The distribution whose a name is wherever it is not qualified, installed or not; the core's own included."""
    return CORE if (kind, name) in _of_the_core() else distribution_of(kind, name)


@cache
def _of_the_core() -> frozenset[tuple[str, str]]:
    return frozenset((kind.kind, spec.name) for kind in KINDS for spec in getattr(builtin, kind.hook, list)())
