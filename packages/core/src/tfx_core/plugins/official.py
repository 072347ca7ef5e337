"""The names that are tfx's own: a missing one is answered with what to install, and nobody else's goes before it."""

from collections.abc import Mapping
from functools import cache

from tfx_core.plugins import builtin
from tfx_core.plugins.specs import KINDS

CORE = "tfx-core"

_RELEASED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
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
    "tfx-retrieval": {"index": ("flat",), "command": ("index",)},
}
"""What the distributions of this release provide: their kinds and names are `Spec.kind`, or ``"command"``."""

_PLANNED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "tfx-retrieval": {
        "architecture": ("dpr", "rag"),
        "task": ("open-domain-question-answering",),
        "index": ("milvus",),
    },
}
"""What later ones will provide; the names are kept for them."""

NAMES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    distribution: {
        kind: (*_RELEASED.get(distribution, {}).get(kind, ()), *_PLANNED.get(distribution, {}).get(kind, ()))
        for kind in sorted({*_RELEASED.get(distribution, ()), *_PLANNED.get(distribution, ())})
    }
    for distribution in sorted({*_RELEASED, *_PLANNED})
}
"""Distribution -> kind -> names. What comes with the core cannot be missing."""

DISTRIBUTIONS = frozenset((CORE, *NAMES))


def names(kind: str) -> list[str]:
    """All official names of a kind, installed or not."""
    return [name for kinds in NAMES.values() for name in kinds.get(kind, ())]


def distribution_of(kind: str, name: str) -> str | None:
    """The tfx distribution that provides a name, or ``None`` when none does."""
    return next((distribution for distribution, kinds in NAMES.items() if name in kinds.get(kind, ())), None)


def is_planned(kind: str, name: str) -> bool:
    """Whether no release so far provides an official name."""
    return any(name in kinds.get(kind, ()) for kinds in _PLANNED.values())


def owner(kind: str, name: str) -> str | None:
    """The distribution whose a name is wherever it is not qualified, installed or not; the core's own included."""
    return CORE if (kind, name) in _of_the_core() else distribution_of(kind, name)


@cache
def _of_the_core() -> frozenset[tuple[str, str]]:
    return frozenset((kind.kind, spec.name) for kind in KINDS for spec in getattr(builtin, kind.hook, list)())
