"""From start and end scores to the best answers of extractive question answering."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class AnswerSpan:
    """First and last token of an answer, and its probability within its window."""

    start: int
    end: int
    score: float


def span_probabilities(
    start_logits: NDArray[np.float32], end_logits: NDArray[np.float32], answerable: NDArray[np.bool_], cls: int | None
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Start and end probabilities (S,) of the answerable tokens, and the probability that there is no answer.

    Both are softmaxes over the answerable tokens and the classifier token at ``cls``, which stands for "no answer";
    without such a token that probability is 0.
    """
    competing = answerable.copy()
    if cls is not None:
        competing[cls] = True
    start, end = _softmax(start_logits, competing), _softmax(end_logits, competing)
    no_answer = 0.0 if cls is None else float(start[cls] * end[cls])
    return np.where(answerable, start, 0), np.where(answerable, end, 0), no_answer


def best_spans(start: NDArray[np.float32], end: NDArray[np.float32], *, count: int, longest: int) -> list[AnswerSpan]:
    """The ``count`` spans of at most ``longest`` tokens with the highest product of probabilities, the best first."""
    size = len(start)
    longest = min(longest, size)
    ends = np.concatenate([end, np.zeros(longest - 1, end.dtype)])  # a span must end within the window
    products = start[:, None] * np.lib.stride_tricks.sliding_window_view(ends, longest)  # (S, longest)
    scores = products.ravel()
    if count < len(scores):
        chosen = np.argpartition(-scores, count)[:count]
        chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
    else:
        chosen = np.argsort(-scores, kind="stable")
    starts, extents = np.divmod(chosen, longest)
    return [
        AnswerSpan(int(first), int(first + extent), float(scores[place]))
        for first, extent, place in zip(starts, extents, chosen, strict=True)
        if scores[place] > 0
    ]


def _softmax(logits: NDArray[np.float32], competing: NDArray[np.bool_]) -> NDArray[np.float32]:
    if not competing.any():
        return np.zeros_like(logits)
    exponentials = np.where(competing, np.exp(np.where(competing, logits - logits[competing].max(), 0)), 0)
    probabilities: NDArray[np.float32] = (exponentials / exponentials.sum()).astype(np.float32)
    return probabilities
