"""Whether retrieval still tells questions apart while it is trained: what collapses does so without an error."""

import logging
import math
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from tfx_core.errors import InputError

_log = logging.getLogger("tfx_retrieval")
_FEWEST = 20
"""Different questions below which nothing is said."""


@dataclass(frozen=True)
class RetrievalReport:
    """How the last different questions were answered by a retriever in training."""

    questions: int
    documents: int
    """Different documents that were retrieved for all of them."""

    entropy: float
    """Of how often each document is retrieved, in nats; the exponential of it counts documents of equal use."""

    margin: float
    """Mean difference between the scores of the first and the last document of a question."""

    certainty: float
    """Mean probability of a question's first document: 1/n where scores say nothing, 1 where one is all that counts."""

    same_first: float
    """Share of the questions whose first document is that which most have."""

    collapsed: bool
    """Whether that share is beyond the watch's bound."""


class RetrievalWatch:
    """Looks at what is retrieved for the last ``window`` different questions, and warns when it is the same for all.

    Lewis et al. 2020 (appendix G) tell of it: "the retrieval component would collapse and learn to retrieve the same
    documents regardless of the input". ``bound`` is the largest share of questions that may have one first document.
    """

    def __init__(self, *, window: int = 200, bound: float = 0.5) -> None:
        if window < _FEWEST or not 0 < bound <= 1:
            raise InputError(f"window={window}, bound={bound}: at least {_FEWEST} questions, and a share up to 1")
        self.window = window
        self.bound = bound
        self._seen: OrderedDict[str, tuple[Sequence[int], Sequence[float]]] = OrderedDict()
        self._since_warned = window

    def observe(self, question: str, rows: Sequence[int], scores: Sequence[float]) -> None:
        """Take in what was retrieved for a question, the best first."""
        self._seen.pop(question, None)
        self._seen[question] = (rows, scores)
        while len(self._seen) > self.window:
            self._seen.popitem(last=False)
        self._since_warned += 1
        if self._since_warned > self.window:
            self._warn()

    def report(self) -> RetrievalReport:
        """What is so at the moment."""
        seen = [found for found in self._seen.values() if len(found[0])]
        count = max(len(seen), 1)
        used = Counter(row for rows, _ in seen for row in rows)
        first = Counter(rows[0] for rows, _ in seen)
        same = max(first.values(), default=0) / count
        return RetrievalReport(
            questions=len(seen),
            documents=len(used),
            entropy=_entropy(used),
            margin=sum(scores[0] - scores[-1] for _, scores in seen) / count,
            certainty=sum(1 / sum(math.exp(score - scores[0]) for score in scores) for _, scores in seen) / count,
            same_first=same,
            collapsed=len(seen) >= _FEWEST and same > self.bound,
        )

    def _warn(self) -> None:
        report = self.report()
        if report.collapsed:
            self._since_warned = 0
            _log.warning(
                "retrieval collapses: %.0f %% of the last %d questions have the same first document, and %d different "
                "ones were retrieved; train the generator alone first, lower the rate of the question encoder, refresh "
                "the index more often, or begin with an encoder that was trained with negatives",
                100 * report.same_first,
                report.questions,
                report.documents,
            )


def _entropy(counts: Counter[int]) -> float:
    total = sum(counts.values())
    return -sum(count / total * math.log(count / total) for count in counts.values())
