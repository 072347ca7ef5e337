"""What the groups of a corpus, languages or control codes, are to a tokenizer, and how often each is read."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfx_core import Tokenizer
from tfx_core.errors import InputError, shown
from tfx_core.model.loading import load_architecture
from tfx_training.corpus import TokenCorpus

Numbers = NDArray[np.int64]


def language_numbers(tokenizer: Tokenizer) -> Mapping[str, int]:
    """The numbers that a tokenizer's models know languages by; none where there are not several."""
    numbers: Mapping[str, int] = getattr(tokenizer, "lang2id", None) or {}
    return numbers if len(numbers) > 1 else {}


def check_groups(corpus: TokenCorpus, known: Mapping[str, int], what: str) -> None:
    """Raise `InputError` for a group of the corpus that is not known by its name."""
    for name in corpus.group_names:
        if name not in known:
            raise InputError(
                f"the corpus has texts of the {what} {shown(name)}; this tokenizer knows "
                f"{', '.join(sorted(known))}: give each text one of these as its group"
            )


def documents_by_group(corpus: TokenCorpus) -> Sequence[Numbers]:
    """The numbers of the documents of each group; raises `InputError` for a document of several."""
    begins = np.concatenate([np.zeros(1, dtype=np.int64), corpus.document_ends[:-1]])
    of_document = np.asarray(corpus.groups)[begins]
    mixed = np.asarray(corpus.groups) != np.repeat(of_document, corpus.document_ends - begins)
    if mixed.any():
        number = int(np.searchsorted(corpus.document_ends, int(mixed.argmax()), side="right"))
        raise InputError(
            f"document {number} of the corpus has texts of several groups; here a row is of one: "
            "make each of these texts a document"
        )
    return [np.flatnonzero(of_document == group) for group in range(len(corpus.group_names))]


def smoothed(counts: Sequence[int], alpha: float) -> NDArray[np.float64]:
    """Shares of groups of these sizes, in proportion to their powers ``alpha``: with 1 as they are, with 0 all alike.

    Lample and Conneau 2019, §3.1; ``lg_sampling_factor`` in xlm/utils.py of facebookresearch/XLM.
    """
    powers: NDArray[np.float64] = np.asarray(counts, dtype=np.float64) ** alpha
    shares: NDArray[np.float64] = powers / powers.sum()
    return shares


def sampled(counts: Sequence[int], alpha: float, generator: np.random.Generator) -> Sequence[Numbers]:
    """Of groups of these sizes the members that an epoch reads, as many in all, in the shares of `smoothed`.

    No member is read once more before all of its group were; every group is read.
    """
    wanted = np.maximum(1, np.round(smoothed(counts, alpha) * sum(counts))).astype(np.int64)
    return [_drawn(count, int(number), generator) for count, number in zip(counts, wanted, strict=True)]


def _drawn(count: int, wanted: int, generator: np.random.Generator) -> Numbers:
    times, rest = divmod(wanted, count)
    return np.concatenate([np.tile(np.arange(count), times), generator.permutation(count)[:rest]])


def counted_languages(numbers: Mapping[str, int]) -> Mapping[str, int]:
    """The key of a config that says how many languages there are, where there are several."""
    return {"n_langs": max(numbers.values()) + 1} if numbers else {}


def known_keys(model_type: str, keys: Mapping[str, Any]) -> Mapping[str, Any]:
    """Those keys that the config of an architecture has."""
    names = load_architecture(model_type).config.field_names()
    return {name: value for name, value in keys.items() if name in names}
