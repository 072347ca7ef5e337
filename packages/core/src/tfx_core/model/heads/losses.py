"""Losses of heads; without labels there is none."""

import warnings
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.habits import hint
from tfx_core.model.config import ProblemType
from tfx_core.nn import can_read

IGNORED = -100
"""Label of a token that does not count in a loss."""


def token_loss(
    logits: Tensor,
    labels: Tensor | None,
    mask: Tensor | None = None,
    *,
    name: str = "labels",
    smoothing: float = 0.0,
) -> Tensor | None:
    """Mean cross-entropy of ``(…, C)`` against ``(…)``, of the labels that count; ``None`` without labels.

    With ``smoothing`` so much of a label is spread evenly over all classes (Szegedy et al. 2016, §7).

    Neither `IGNORED` ones count, nor those of padding, which is false in ``mask`` ``(…)``. Where none counts the loss
    is 0 and so are its gradients, so that one such batch does not end a training; a warning says so, but where that
    would have to wait for a device. Raises `InputError` under the ``name`` of the labels for a class that there is not
    (on a GPU torch itself fails).
    """
    if labels is None:
        return None
    labels = whole_labels(labels, logits.shape[:-1], name)
    if mask is not None:
        labels = labels.masked_fill(~mask, IGNORED)
    counted = labels != IGNORED
    try:
        scores = logits.float().flatten(0, -2)
        total = F.cross_entropy(
            scores, labels.flatten(), ignore_index=IGNORED, reduction="sum", label_smoothing=smoothing
        )
    except IndexError:
        wrong = next(int(each) for each in labels[counted] if not 0 <= each < logits.shape[-1])
        raise InputError(
            f"{name}: {wrong} is none of 0 to {logits.shape[-1] - 1}, the {logits.shape[-1]} classes that there are; "
            f"{hint('model(…)', 'labels=torch.tensor([0, 9])')}"
        ) from None
    return mean_of_counted(total, counted, name)


def mean_of_counted(total: Tensor, counted: Tensor, name: str = "labels") -> Tensor:
    """A sum of losses by the number of labels that are true in ``counted``; 0, and a warning, where none is."""
    if counted.device.type == "cpu" and can_read(counted) and not counted.any():
        warnings.warn(f"{name}: none counts, for all are {IGNORED} or padding; the loss is 0", stacklevel=2)
    return total / counted.sum().clamp(min=1)


def next_token_loss(logits: Tensor, labels: Tensor | None, mask: Tensor | None = None) -> Tensor | None:
    """Mean cross-entropy of each token's logits ``(B, S, V)`` against the label of the real token after it.

    ``labels`` ``(B, S)`` stand where their tokens do; ``mask`` ``(B, S)`` is false on padding, which predicts nothing
    and is not predicted. What counts, and what is raised, is as in `token_loss`.
    """
    if labels is None:
        return None
    return token_loss(logits, next_labels(whole_labels(labels, logits.shape[:-1]), mask))


def next_labels(labels: Tensor, mask: Tensor | None = None) -> Tensor:
    """``(B, S)`` labels -> for each real token that of the real token after it, `IGNORED` where there is none."""
    if mask is None:
        return F.pad(labels[:, 1:], (0, 1), value=IGNORED)
    end = labels.shape[1]
    columns = torch.arange(end, device=labels.device)
    # the first real column from each on; then that from the one after it on
    real = torch.where(mask, columns, end).flip(1).cummin(1).values.flip(1)
    after = F.pad(real[:, 1:], (0, 1), value=end)
    return F.pad(labels, (0, 1), value=IGNORED).gather(1, after).masked_fill(~mask, IGNORED)


def whole_labels(labels: Tensor, shape: Sequence[int], name: str = "labels") -> Tensor:
    """Labels as numbers of classes; raises `InputError` for another shape, or a type that has other numbers."""
    if labels.shape != torch.Size(shape):
        raise InputError(f"{name} of shape {tuple(labels.shape)}: the inputs ask for {tuple(shape)}")
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise InputError(f"{name} of type {labels.dtype}: must be whole numbers, the classes")
    return labels.long()


def whole_places(places: Tensor, shape: Sequence[int], name: str) -> Tensor:
    """`whole_labels` that are places in a text, one of each: there may be one more axis, of size 1."""
    return whole_labels(places.squeeze(-1) if places.dim() > len(shape) else places, shape, name)


def classification_loss(
    logits: Tensor, labels: Tensor | None, problem_type: ProblemType | None = None
) -> Tensor | None:
    """Loss of ``(B, C)`` scores; without a problem type: one class is regression, whole-number labels are classes.

    Raises `InputError` for labels of another shape, and for several classes at once with labels outside of 0 to 1 (not
    where it would have to wait for a device). In a regression every number is one to be met, `IGNORED` too.
    """
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
        cure = hint("model(…)", "labels=torch.tensor([0.0, 1.0])")
        cure = f"; of type {labels.dtype}: {cure}" if labels.is_floating_point() and logits.shape[-1] > 1 else ""
        raise InputError(f"labels of shape {tuple(labels.shape)}: {problem_type} asks for {tuple(wanted.shape)}{cure}")
    values = labels.float()
    if problem_type == "regression":
        return F.mse_loss(wanted.float(), values)
    if values.device.type == "cpu" and can_read(values):
        # a cross-entropy with what is no probability has no lower end
        outside = values[~((values >= 0) & (values <= 1))]
        if len(outside):
            raise InputError(f"labels: {float(outside[0]):g} is none of 0 to 1, the probability of a class")
    return F.binary_cross_entropy_with_logits(wanted.float(), values)


def span_loss(
    start_logits: Tensor,
    end_logits: Tensor,
    start_positions: Tensor | None,
    end_positions: Tensor | None,
    mask: Tensor | None = None,
) -> Tensor | None:
    """Mean of the two cross-entropies ``(B, S)``.

    A position outside the text, in padding included, which is false in ``mask`` ``(B, S)``, does not count.
    """
    if start_positions is None and end_positions is None:
        return None
    if start_positions is None or end_positions is None:
        raise InputError("start_positions and end_positions go together; only one of them was given")
    starts = whole_places(start_positions, start_logits.shape[:1], "start_positions")
    ends = whole_places(end_positions, end_logits.shape[:1], "end_positions")
    start_loss = token_loss(start_logits, _inside(starts, start_logits, mask), name="start_positions")
    end_loss = token_loss(end_logits, _inside(ends, end_logits, mask), name="end_positions")
    assert start_loss is not None
    assert end_loss is not None
    return (start_loss + end_loss) / 2


def _inside(positions: Tensor, logits: Tensor, mask: Tensor | None) -> Tensor:
    """Positions ``(B,)``, `IGNORED` where no token of the text stands."""
    length = logits.shape[1]
    outside = (positions < 0) | (positions >= length)
    if mask is not None:
        outside = outside | ~mask.gather(1, positions.clamp(0, length - 1)[:, None])[:, 0]
    return positions.masked_fill(outside, IGNORED)
