"""Batches of questions to learn from: each is the ``collate_fn`` of a data loader, or a trainer's collator."""

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from tfx_core.embedding import Passage
from tfx_core.errors import InputError, shown
from tfx_retrieval.training.questions import TrainingQuestion
from tfx_retrieval.training.sides import PassageRows, Rows, identity

_Of = TypeVar("_Of")


class RankingBatches:
    """Questions with one right passage each and so many hard negatives, as input of a `PassageRanker`.

    Where a question has no hard negatives, its other negatives stand in, and where it has fewer, there are fewer. Which
    of them a batch gets is drawn anew each time, by torch's generator; ``shuffle=False`` takes the first. The right
    passage is the first, or with ``any_positive`` any. ``mask_known=False`` lets the right passages of a question count
    against it where they stand in the batch for another, as the released DPR does.
    """

    def __init__(
        self,
        questions: Rows,
        passages: PassageRows,
        *,
        hard_negatives: int = 1,
        shuffle: bool = True,
        any_positive: bool = False,
        mask_known: bool = True,
    ) -> None:
        if hard_negatives < 0:
            raise InputError(f"hard_negatives={hard_negatives}: must be 0 or more")
        self._questions, self._passages = questions, passages
        self._hard_negatives = hard_negatives
        self._shuffle, self._any_positive = shuffle, any_positive
        self._mask_known = mask_known

    def __call__(self, rows: Sequence[TrainingQuestion]) -> dict[str, Any]:
        """``questions`` and ``passages`` as their sides make them, ``positives`` (B,), ``known``, ``identities``.

        Raises `InputError` for a question without a right passage.
        """
        check_positives(rows)
        own = [[self._positive(row), *self._wrong(row)] for row in rows]
        starts = torch.tensor([0, *map(len, own)]).cumsum(0)[:-1]
        together = [passage for passages in own for passage in passages]
        batch = {
            "questions": dict(self._questions([row.question for row in rows])),
            "passages": dict(self._passages(together)),
            "positives": starts,
        }
        if self._mask_known:
            batch["known"] = _filled([[identity(passage) for passage in row.positives] for row in rows])
            batch["identities"] = torch.tensor([identity(passage) for passage in together])
        return batch

    def _positive(self, row: TrainingQuestion) -> Passage:
        return drawn(row.positives, 1)[0] if self._any_positive else row.positives[0]

    def _wrong(self, row: TrainingQuestion) -> Sequence[Passage]:
        wrong = row.hard_negatives or row.negatives
        return drawn(wrong, self._hard_negatives) if self._shuffle else wrong[: self._hard_negatives]


def check_positives(rows: Sequence[TrainingQuestion]) -> None:
    """Raise `InputError` unless there are questions and each has a right passage."""
    if not rows:
        raise InputError("a batch of no questions")
    for row in rows:
        if not row.positives:
            raise InputError(
                f"question {shown(row.question)} has no right passage; leave it out, or let "
                "mined(…, find_positives=True) look for one"
            )


def drawn(items: Sequence[_Of], count: int) -> list[_Of]:
    """So many of the items in random order, without repetition; all where there are fewer."""
    return [items[place] for place in torch.randperm(len(items))[:count].tolist()]


def _filled(rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of numbers as a tensor, filled up with -1."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[-1] * (longest - len(row))] for row in rows])
