"""Hard negatives: passages that a search finds for a question although they do not answer it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from tfx_core.embedding import Passage
from tfx_core.errors import InputError
from tfx_retrieval.hits import PassageSearch
from tfx_retrieval.training.answers import AnswerMatch, has_answer
from tfx_retrieval.training.questions import TrainingQuestion

_TOGETHER = 64
"""Questions that are searched for in one call."""


def mined(
    questions: Iterable[TrainingQuestion],
    search: PassageSearch,
    *,
    count: int = 1,
    depth: int = 100,
    skip: int = 0,
    find_positives: bool = False,
    match: AnswerMatch = "words",
    progress: Callable[[int], object] | None = None,
) -> Iterator[TrainingQuestion]:
    """The questions with up to ``count`` hard negatives each, the best hits that are not right.

    ``search`` is BM25, as DPR was trained with first, the index of the model that is trained, which gives harder ones
    (Xiong et al. 2020, ANCE), or any other. Among its first ``depth`` hits those are right that are among the
    question's own right passages, or have one of its answers (`has_answer`). ``skip`` leaves out so many of the best
    others, which in a collection that is not labelled whole are often right too. With ``find_positives`` the best hit
    that has an answer becomes the right passage of a question that has none (Karpukhin et al. 2020, §4.2).
    """
    if count < 1 or skip < 0 or depth < 1:
        raise InputError(f"count={count}, depth={depth}, skip={skip}: at least 1, 1 and 0")
    remaining = iter(questions)
    while together := list(islice(remaining, _TOGETHER)):
        found = search.search([question.question for question in together], depth)
        for question, hits in zip(together, found, strict=True):
            passages = [hit.passage for hit in hits]
            yield _with_found(question, passages, slice(skip, skip + count), find_positives, match)
        if progress is not None:
            progress(len(together))


def _with_found(
    question: TrainingQuestion, found: Sequence[Passage], chosen: slice, find_positives: bool, match: AnswerMatch
) -> TrainingQuestion:
    own = {_key(passage) for passage in question.positives}
    others = [passage for passage in found if _key(passage) not in own]
    answering = [bool(question.answers) and has_answer(question.answers, each.text, match=match) for each in others]
    if find_positives and not question.positives:
        best = [passage for passage, answers in zip(others, answering, strict=True) if answers][:1]
        question = replace(question, positives=tuple(best))
    wrong = [passage for passage, answers in zip(others, answering, strict=True) if not answers]
    return replace(question, hard_negatives=tuple(wrong[chosen]))


def _key(passage: Passage) -> tuple[str, str]:
    return passage.topic, passage.text
