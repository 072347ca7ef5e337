"""The names that tfx's own distributions provide, so that a missing one is answered with what to install."""

from collections.abc import Mapping

NAMES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "tfx-decoders": {"architecture": ("openai-gpt", "gpt2", "ctrl", "transfo-xl", "reformer", "xlnet")},
    "tfx-encoders": {
        "architecture": (
            *("bert", "albert", "roberta", "distilbert", "convbert", "xlm", "xlm-roberta", "flaubert", "electra"),
            *("funnel", "longformer"),
        )
    },
    "tfx-seq2seq": {
        "architecture": ("bart", "pegasus", "marian", "t5", "mt5", "mbart", "prophetnet", "xlm-prophetnet")
    },
    "tfx-multimodal": {"architecture": ("mmbt",), "task": ("multimodal-classification",)},
    "tfx-retrieval": {
        "architecture": ("dpr", "rag"),
        "task": ("open-domain-question-answering",),
        "index": ("flat", "milvus"),
        "command": ("index",),
    },
}
"""Distribution -> kind -> names: `Spec.kind`, or ``"command"``. What comes with the core cannot be missing."""


def names(kind: str) -> list[str]:
    """All official names of a kind, installed or not."""
    return [name for kinds in NAMES.values() for name in kinds.get(kind, ())]


def distribution_of(kind: str, name: str) -> str | None:
    """The tfx distribution that provides a name, or ``None`` when none does."""
    return next((distribution for distribution, kinds in NAMES.items() if name in kinds.get(kind, ())), None)
