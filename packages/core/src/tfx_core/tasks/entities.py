"""From scored tokens to entities: words that agree on a label, and neighbours with the same label joined.

The strategies and the handling of ``B-`` and ``I-`` labels are those of the reference library's token classification.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

Aggregation: TypeAlias = Literal["none", "simple", "first", "average", "max"]


@dataclass(frozen=True, slots=True)
class ScoredToken:
    """A token of the text, or a whole word, with the probability of every label."""

    index: int
    """Position in the model's input, added tokens counted."""
    token: str
    start: int
    end: int
    scores: NDArray[np.float32]
    """(C,)"""
    continues_word: bool


class Entity(TypedDict):
    """Neighbouring tokens with one label."""

    entity_group: str
    score: float
    word: str
    start: int
    end: int


def merge_words(tokens: Sequence[ScoredToken], strategy: Aggregation, text: str) -> list[ScoredToken]:
    """One scored token for each word: with the first token's scores, those of the surest token, or the average.

    Tokens that share a character stay together; ``simple`` leaves all others as they are.
    """
    words: list[list[ScoredToken]] = []
    for token in tokens:
        if words and (token.start < words[-1][-1].end or (token.continues_word and strategy != "simple")):
            words[-1].append(token)
        else:
            words.append([token])
    merged = []
    for word in words:
        if strategy == "average":
            scores = np.mean([token.scores for token in word], axis=0)
        elif strategy == "max":
            scores = max((token.scores for token in word), key=lambda scores: float(scores.max()))
        else:
            scores = word[0].scores
        end = word[-1].end
        merged.append(replace(word[0], token=text[word[0].start : end], end=end, scores=scores))
    return merged


def group(tokens: Sequence[ScoredToken], labels: Sequence[str], text: str) -> list[Entity]:
    """Neighbours with the same label as one entity, as it stands in the text; a ``B-`` label starts a new one."""
    groups: list[list[tuple[ScoredToken, str]]] = []
    for token, label in zip(tokens, labels, strict=True):
        begins, tag = _tag(label)
        if groups and not begins and tag == _tag(groups[-1][-1][1])[1]:
            groups[-1].append((token, label))
        else:
            groups.append([(token, label)])
    return [
        {
            "entity_group": members[0][1].split("-", 1)[-1],
            "score": float(np.mean([token.scores.max() for token, _ in members])),
            "word": text[members[0][0].start : members[-1][0].end],
            "start": members[0][0].start,
            "end": members[-1][0].end,
        }
        for members in groups
    ]


def drop_overlaps(entities: Sequence[Entity]) -> list[Entity]:
    """Of entities that overlap, found in overlapping windows of one text, keep the longest, then the surest."""
    kept: list[Entity] = []
    for entity in sorted(entities, key=lambda entity: entity["start"]):
        if not kept or entity["start"] >= kept[-1]["end"]:
            kept.append(entity)
        elif (_length(entity), entity["score"]) > (_length(kept[-1]), kept[-1]["score"]):
            kept[-1] = entity
    return kept


def _tag(label: str) -> tuple[bool, str]:
    """Whether a label begins an entity, and the label without ``B-`` or ``I-``."""
    return label.startswith("B-"), label[2:] if label.startswith(("B-", "I-")) else label


def _length(entity: Entity) -> int:
    return entity["end"] - entity["start"]
