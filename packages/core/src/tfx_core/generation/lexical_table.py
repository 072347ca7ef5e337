"""How likely tokens translate each other: counted from pairs of texts, or read from a file of Marian's form."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tfx_core.errors import InputError, shown

if TYPE_CHECKING:
    from tfx_core.text import Tokenizer
    from tfx_core.text.vocabulary import Vocabulary

NULL = "NULL"
"""What stands in a file for no token of a source."""

NO_TOKEN = -1
"""The id of that."""
_MOST_LINKS = 20_000_000
"""Of pairs of a source's token and a target's: there is memory for each, some 40 bytes."""
_ROUNDS = 5
"""Of expectation and maximisation; more change hardly what comes first."""
_KEPT = 100
"""Most tokens that are counted for one of a source."""
_LEAST = 1e-3
"""The least probability of them."""


@dataclass(frozen=True)
class LexicalTable:
    """``p(target | source)`` of single tokens."""

    sources: Tensor
    """``(m,)``: ids of the source's vocabulary, -1 for none: there the probability is how often the target occurs."""
    targets: Tensor
    """``(m,)``: ids of the target's."""
    probabilities: Tensor
    """``(m,)``."""

    @classmethod
    def read(cls, path: str | os.PathLike[str], tokenizer: "Tokenizer") -> "LexicalTable":
        """Of a file with ``target source probability`` on each line, by the pieces of a tokenizer.

        Raises `InputError` with file and line for what is none, and for pieces that the tokenizer lacks.
        """
        rows = [
            (
                NO_TOKEN if source == NULL else _id(tokenizer.vocabulary, source, "source", place),
                _id(tokenizer.target_vocabulary, target, "target", place),
                value,
            )
            for place, (target, source, value) in _lines(path)
        ]
        if not rows:
            raise InputError(f"{path}: is empty; tfx-core shortlist makes such a file of translated texts")
        sources, targets, probabilities = zip(*rows, strict=True)
        return cls(torch.tensor(sources), torch.tensor(targets), torch.tensor(probabilities, dtype=torch.float64))

    def write(self, path: str | os.PathLike[str], tokenizer: "Tokenizer") -> None:
        """As `read` takes it; tokens with a blank in them, which no line can hold, are left out."""
        source, target = tokenizer.vocabulary, tokenizer.target_vocabulary
        rows = zip(self.sources.tolist(), self.targets.tolist(), self.probabilities.tolist(), strict=True)
        named = (
            (target.token(of_target), NULL if of_source == NO_TOKEN else source.token(of_source), f"{value:.6g}")
            for of_source, of_target, value in rows
        )
        lines = (" ".join(row) + "\n" for row in named if all(len(each.split()) == 1 for each in row))
        Path(path).write_text("".join(lines), encoding="utf-8")

    @classmethod
    def counted(cls, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> "LexicalTable":
        """Of ids of translated texts ``(source, target)``, by the first of IBM's models (Brown et al. 1993).

        Of more pairs than there is memory for every second, third, … is read. Raises `InputError` where there is none.
        """
        pairs = [(source, target) for source, target in pairs if len(source) and len(target)]
        links = sum((len(source) + 1) * len(target) for source, target in pairs)
        pairs = pairs[:: -(-links // _MOST_LINKS) or 1]
        if not pairs:
            raise InputError("pairs: none of them has tokens on both sides; give translated texts")
        sources, targets, probabilities = _first_model(pairs)
        kept = _best(sources, probabilities, _KEPT) & (probabilities >= _LEAST)
        frequent = torch.bincount(torch.tensor([token for _, target in pairs for token in target]))
        occurring = frequent.nonzero().flatten()
        order = frequent[occurring].argsort(descending=True, stable=True)
        return cls(
            torch.cat((torch.full_like(occurring, NO_TOKEN), sources[kept])),
            torch.cat((occurring[order], targets[kept])),
            torch.cat((frequent[occurring][order] / frequent.sum(), probabilities[kept])).double(),
        )


def _first_model(pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> tuple[Tensor, Tensor, Tensor]:
    """Sources, targets and ``p(target | source)``, sorted by source; what no source's token explains is left out."""
    sizes = torch.tensor([len(source) + 1 for source, _ in pairs])
    source = torch.tensor([token + 1 for source, _ in pairs for token in (NO_TOKEN, *source)])
    target = torch.tensor([token for _, target in pairs for token in target])
    of_pair = torch.repeat_interleave(torch.tensor([len(target) for _, target in pairs]))
    links = sizes[of_pair]  # of each token of a target
    occurrence = torch.repeat_interleave(links)
    within = torch.arange(len(occurrence)) - (links.cumsum(0) - links)[occurrence]
    begin = (sizes.cumsum(0) - sizes)[of_pair]
    width = int(target.max()) + 1
    keys, which = _distinct(source[begin[occurrence] + within] * width + target[occurrence])
    owner = keys // width
    probabilities = torch.ones(len(keys))
    for _ in range(_ROUNDS):
        shares = probabilities[which]
        shares = shares / shares.new_zeros(len(target)).index_add_(0, occurrence, shares)[occurrence]
        counts = torch.zeros(len(keys)).index_add_(0, which, shares)
        probabilities = counts / torch.zeros(int(owner.max()) + 1).index_add_(0, owner, counts)[owner]
    known = owner > 0
    return owner[known] - 1, keys[known] % width, probabilities[known]


def _distinct(values: Tensor) -> tuple[Tensor, Tensor]:
    """The values ``(m,)`` in order, each once, and which of these each is."""
    ordered, order = values.sort()
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[1:] = ordered[1:] != ordered[:-1]
    which = torch.empty_like(order)
    which[order] = new.cumsum(0) - 1
    return ordered[new], which


def _best(groups: Tensor, values: Tensor, count: int) -> Tensor:
    """Which ``(m,)`` are among the ``count`` greatest of their group; groups are sorted."""
    order = values.argsort(descending=True, stable=True)
    order = order[groups[order].argsort(stable=True)]
    first = torch.searchsorted(groups, groups)
    best = torch.empty_like(order, dtype=torch.bool)
    best[order] = torch.arange(len(groups)) - first < count
    return best


def _lines(path: str | os.PathLike[str]) -> Iterator[tuple[str, tuple[str, str, float]]]:
    """Where each line is, and its fields."""
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield f"{path}, line {number}", _fields(line, f"{path}, line {number}")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from None


def _id(vocabulary: "Vocabulary", piece: str, side: str, place: str) -> int:
    number = vocabulary.id(piece)
    if number is None:
        raise InputError(
            f"{place}: {shown(piece)} is no token of the {side}'s vocabulary; the lines are target, source, "
            "probability, in pieces of this very tokenizer: tfx-core shortlist makes such a file"
        )
    return number


def _fields(line: str, place: str) -> tuple[str, str, float]:
    fields = line.split()
    if len(fields) != 3:
        raise InputError(f"{place}: has {len(fields)} fields; must be three: target, source, probability")
    try:
        value = float(fields[2])
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise InputError(f"{place}: {shown(fields[2])} is no probability; must be a number from 0 to 1, no logarithm")
    return fields[0], fields[1], value
