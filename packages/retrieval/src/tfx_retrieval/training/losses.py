"""The losses of dense passage retrieval (Karpukhin et al. 2020, "Dense Passage Retrieval for Open-Domain QA")."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tfx_core.errors import InputError
from tfx_retrieval.training.gathering import gathered, processes, total


@dataclass(frozen=True)
class Ranked:
    """What `rank_loss` gives."""

    loss: Tensor
    accuracy: Tensor
    """Share of the questions whose own passage has the highest score."""
    scores: Tensor
    """(B, P): inner products, -inf for what does not count."""


def rank_loss(
    questions: Tensor,
    passages: Tensor,
    positives: Tensor,
    *,
    known: Tensor | None = None,
    identities: Tensor | None = None,
    scale: float = 1.0,
) -> Ranked:
    """In-batch negatives: of each question its own passage against all others of the batch, hard negatives included.

    ``questions`` (B, D), ``passages`` (P, D), ``positives`` (B,): the row of each question's own passage; the loss is
    the mean of ``-log softmax(scale · questions @ passagesᵀ)`` there (§3.2, equation 2). With ``identities`` (P,), an
    integer for each passage, and ``known`` (B, K), those of the right passages of each question (-1 where there are
    fewer), other right passages of a question in the batch do not count against it; the released code lets them.

    Where several processes train together, the passages are those of all, with gradients; the loss of each process is
    its part of that of the whole batch, times the number of processes: the mean over processes, which is what
    ``DistributedDataParallel`` makes of gradients, is that of one process with the whole batch. `InputError` where no
    question has a passage to be told from, for such a loss is 0 whatever is learned.
    """
    if (known is None) != (identities is None):
        raise InputError("known and identities: give both or neither")
    passages, start = gathered(passages)
    positives = positives + start
    scores = scale * questions @ passages.T  # (B, D), (P, D) -> (B, P)
    if known is not None and identities is not None:
        scores = scores.masked_fill(_also_right(known, gathered(identities)[0], positives), -torch.inf)
    _check_choice(scores)
    losses = F.cross_entropy(scores, positives, reduction="sum")
    share = processes() / total(len(questions), questions.device)
    return Ranked(losses * share, (scores.argmax(-1) == positives).float().mean(), scores)


def _also_right(known: Tensor, identities: Tensor, positives: Tensor) -> Tensor:
    """Which passages are right for a question without being the one that is to be found, (B, P)."""
    right = (known[:, :, None] == identities).any(1)  # (B, K, 1), (P,) -> (B, P)
    return right.scatter(1, positives[:, None], False)


def _check_choice(scores: Tensor) -> None:
    if not (scores > -torch.inf).sum(-1).gt(1).any():
        raise InputError(
            f"{len(scores)} questions without a wrong passage among {scores.shape[1]}: the loss would be 0 and nothing "
            "learned; take more questions in a batch, or hard negatives"
        )


def reader_loss(
    start_logits: Tensor,
    end_logits: Tensor,
    relevance_logits: Tensor,
    spans: Tensor,
    *,
    mask: Tensor | None = None,
) -> Tensor:
    """A reader's loss over the passages of each question, the first of which is right (§5.1).

    Logits of starts and ends (B, M, S), of relevance (B, M); ``spans`` (B, A, 2): first and last token of each place of
    the answer in the first passage, -1 where there are fewer. The loss is the mean over the questions of

        -log softmax(relevance)[0] - log Σ_spans softmax(starts)[first] · softmax(ends)[last]

    A question whose passage has no span learns relevance alone. ``mask`` (B, M, S), 0 for padding, leaves that out of
    the softmax, which the released code does not; that code also gives the sum over the questions.
    """
    ranked = F.cross_entropy(relevance_logits, relevance_logits.new_zeros(len(spans), dtype=torch.long))
    first, last = spans.clamp(min=0).unbind(-1)  # (B, A) each
    own = None if mask is None else mask[:, 0]
    likelihoods = _log_softmax(start_logits[:, 0], own).gather(1, first) + _log_softmax(end_logits[:, 0], own).gather(
        1, last
    )
    real = spans[..., 0] >= 0
    has_span = real.any(-1)
    marginal = likelihoods[has_span].masked_fill(~real[has_span], -torch.inf).logsumexp(-1)
    return ranked - marginal.sum() / len(spans)


def _log_softmax(logits: Tensor, mask: Tensor | None) -> Tensor:
    """Of a passage's tokens (B, S), in float32."""
    logits = logits.float()
    return (logits if mask is None else logits.masked_fill(mask == 0, -torch.inf)).log_softmax(-1)
