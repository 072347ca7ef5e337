"""The languages of a corpus, or its control codes: what they are to a tokenizer, and how often an epoch reads each."""

from collections.abc import Mapping, Sequence

import numpy as np

from tfx_core import Tokenizer
from tfx_core.errors import InputError, shown
from tfx_training.corpus import TokenCorpus
from tfx_training.corpus.tokens import Places


def language_numbers(tokenizer: Tokenizer) -> Mapping[str, int]:
    """The numbers that a tokenizer's models know languages by; none where there are not several."""
    numbers: Mapping[str, int] = getattr(tokenizer, "lang2id", None) or {}
    return numbers if len(numbers) > 1 else {}


def counted_languages(numbers: Mapping[str, int]) -> Mapping[str, int]:
    """The key of a config that says how many languages there are, where there are several."""
    return {"n_langs": max(numbers.values()) + 1} if numbers else {}


def check_groups(corpus: TokenCorpus, known: Mapping[str, int], what: str) -> None:
    """Raise `InputError` for a group of the corpus that is not known by its name."""
    for name in corpus.group_names:
        if name not in known:
            raise InputError(
                f"the corpus has texts of the {what} {shown(name)}; this tokenizer knows "
                f"{', '.join(sorted(known))}: give each text one of these as its group"
            )


def documents_by_group(corpus: TokenCorpus) -> Sequence[Places]:
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


def drawn_by_share(counts: Sequence[int], exponent: float, generator: np.random.Generator) -> Sequence[Places]:
    """Of languages with ``counts`` of rows, which of its rows an epoch reads, as many together as there are.

    A share p of all becomes one in proportion to p to the power of ``exponent``: with 1 each row is read once, with 0
    all languages as often. No row is read once more before all of its language were, and no language is left out.
    Source: Conneau and Lample 2019, §3.1; Conneau et al. 2020, §3.1; fairseq, ``multilingual_masked_lm.py``.
    """
    sizes = np.asarray(counts, dtype=np.int64)
    powers = np.where(sizes > 0, np.maximum(sizes, 1).astype(np.float64) ** exponent, 0.0)
    wanted = np.maximum(sizes > 0, np.rint(powers / powers.sum() * sizes.sum())).astype(np.int64)
    return [_drawn(count, number, generator) for count, number in zip(sizes.tolist(), wanted.tolist(), strict=True)]


def _drawn(count: int, wanted: int, generator: np.random.Generator) -> Places:
    """``wanted`` of ``count`` numbers: each as often as the others, or once more."""
    times, rest = divmod(wanted, count) if count else (0, 0)
    return np.concatenate([np.tile(np.arange(count), times), np.sort(generator.permutation(count)[:rest])])
