"""Losses of heads; without labels there is none."""

import torch.nn.functional as F
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.model.config import ProblemType

IGNORED = -100
"""Label of a token that does not count in a loss."""


def token_loss(logits: Tensor, labels: Tensor | None) -> Tensor | None:
    """Mean cross-entropy of ``(…, C)`` against ``(…)``, without labels `IGNORED`; ``None`` without labels."""
    if labels is None:
        return None
    if logits.shape[:-1] != labels.shape:
        raise InputError(f"labels of shape {tuple(labels.shape)}: the logits ask for {tuple(logits.shape[:-1])}")
    return F.cross_entropy(logits.float().flatten(0, -2), labels.flatten(), ignore_index=IGNORED)


def next_token_loss(logits: Tensor, labels: Tensor | None) -> Tensor | None:
    """Mean cross-entropy of each position's logits ``(B, S, V)`` against the next position's label ``(B, S)``."""
    return None if labels is None else token_loss(logits[:, :-1], labels[:, 1:])


def classification_loss(
    logits: Tensor, labels: Tensor | None, problem_type: ProblemType | None = None
) -> Tensor | None:
    """Loss of ``(B, C)`` scores; without a problem type: one class is regression, whole-number labels are classes."""
    if labels is None:
        return None
    if problem_type is None:
        single = not labels.is_floating_point() and logits.shape[-1] > 1
        problem_type = "single_label_classification" if single else "multi_label_classification"
        problem_type = "regression" if logits.shape[-1] == 1 else problem_type
    if problem_type == "single_label_classification":
        return token_loss(logits, labels)
    wanted = logits.squeeze(-1) if labels.dim() < logits.dim() else logits
    if wanted.shape != labels.shape:
        raise InputError(f"labels of shape {tuple(labels.shape)}: {problem_type} asks for {tuple(wanted.shape)}")
    loss = F.mse_loss if problem_type == "regression" else F.binary_cross_entropy_with_logits
    return loss(wanted.float(), labels.float())


def span_loss(
    start_logits: Tensor, end_logits: Tensor, start_positions: Tensor | None, end_positions: Tensor | None
) -> Tensor | None:
    """Mean of the two cross-entropies ``(B, S)``; a position outside the text does not count."""
    if start_positions is None and end_positions is None:
        return None
    if start_positions is None or end_positions is None:
        raise InputError("start_positions and end_positions go together; only one of them was given")
    length = start_logits.shape[1]
    losses = (
        F.cross_entropy(logits.float(), positions.view(-1).clamp(0, length), ignore_index=length)
        for logits, positions in ((start_logits, start_positions), (end_logits, end_positions))
    )
    start_loss, end_loss = losses
    return (start_loss + end_loss) / 2
