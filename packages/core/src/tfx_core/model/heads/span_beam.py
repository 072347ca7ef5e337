"""Extractive question answering in which the end depends on the start (Yang et al. 2019; Lample & Conneau 2019)."""

from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.checkpoint import Rename
from tfx_core.errors import InputError
from tfx_core.fields import Epsilon, Size
from tfx_core.model.backbone import Backbone
from tfx_core.model.config import ModelConfig
from tfx_core.model.heads.base import Head
from tfx_core.model.heads.losses import span_loss, whole_places
from tfx_core.model.heads.plan import HeadPlan
from tfx_core.model.outputs import ModelOutput
from tfx_core.nn import check_range, last_tokens


class EndScorer(nn.Module):
    """Scores tokens as the end of an answer that starts at a given one."""

    def __init__(self, join: nn.Linear, norm: nn.LayerNorm, score: nn.Linear) -> None:
        super().__init__()
        self.join = join
        self.norm = norm
        self.score = score

    def forward(self, states: Tensor, starts: Tensor) -> Tensor:
        """States ``(B, S, D)`` and those of ``K`` starts ``(B, K, D)`` -> scores ``(B, S, K)``."""
        of_states, of_starts = self.join.weight.chunk(2, dim=1)  # the layer reads a state and a start side by side
        joined = F.linear(states, of_states, self.join.bias)[:, :, None] + F.linear(starts, of_starts)[:, None]
        scores: Tensor = self.score(self.norm(joined.tanh())).squeeze(-1)  # (B, S, K, D) -> (B, S, K)
        return scores


class AnswerClassifier(nn.Module):
    """Scores whether a question has no answer, by the states of the start and of the classifier token."""

    def __init__(self, join: nn.Linear, score: nn.Linear) -> None:
        super().__init__()
        self.join = join
        self.score = score

    def forward(self, start: Tensor, cls: Tensor) -> Tensor:
        """Two states ``(B, D) -> (B,)``."""
        scores: Tensor = self.score(self.join(torch.cat((start, cls), dim=-1)).tanh()).squeeze(-1)
        return scores


class SpanBeamHead(Head):
    """The best starts, for each of them the best ends, and whether there is no answer.

    With positions it gives the loss alone; without, what `forward` lists. A candidate that does not exist, since a text
    has fewer tokens that may be chosen, has probability 0 and index -1.
    """

    def __init__(
        self,
        start: nn.Linear,
        end: EndScorer,
        answer: AnswerClassifier,
        *,
        start_n_top: int,
        end_n_top: int,
    ) -> None:
        super().__init__()
        self.start = start
        self.end = end
        self.answer = answer
        self.start_n_top = start_n_top
        self.end_n_top = end_n_top

    def forward(
        self,
        states: ModelOutput,
        *,
        p_mask: Tensor | None = None,
        cls_index: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        is_impossible: Tensor | None = None,
    ) -> ModelOutput:
        """``p_mask`` ``(B, S)`` is 1 where no answer starts or ends, ``cls_index`` ``(B,)`` by default the last token.

        Results: ``start_top_log_probs`` and ``start_top_index`` ``(B, K)``; ``end_top_log_probs`` and ``end_top_index``
        ``(B, L·K)``, the ``K`` starts of the best ends first; ``cls_logits`` ``(B,)``, higher for no answer. The
        reference's names say log, the values are probabilities.
        """
        hidden = states.last_hidden_state  # (B, S, D)
        mask = states.token_mask
        barred = _barred(p_mask, mask)
        if cls_index is None:
            cls = last_tokens(hidden, mask)
        else:
            cls_index = whole_places(cls_index, hidden.shape[:1], "cls_index")
            check_range(cls_index, hidden.shape[1], "cls_index")
            cls = _at(hidden, cls_index[:, None])[:, 0]
        start_logits = _without(self.start(hidden).squeeze(-1), barred)  # (B, S)
        if start_positions is None and end_positions is None:
            if is_impossible is not None:
                raise InputError("is_impossible: a label that goes with start_positions and end_positions")
            return states.updated(**self._best(hidden, start_logits, barred, cls))
        if start_positions is None or end_positions is None:
            raise InputError("start_positions and end_positions go together; only one of them was given")
        starts = whole_places(start_positions, hidden.shape[:1], "start_positions")
        start_state = _at(hidden, starts[:, None], mask)  # (B, 1, D)
        end_logits = _without(self.end(hidden, start_state).squeeze(-1), barred)
        loss = span_loss(start_logits, end_logits, starts, end_positions, mask)
        if loss is not None and is_impossible is not None:
            cls_logits = self.answer(start_state[:, 0], cls).float()
            if is_impossible.shape not in (cls_logits.shape, (len(cls_logits), 1)):
                raise InputError(f"is_impossible of shape {tuple(is_impossible.shape)}: must be ({len(cls_logits)},)")
            # half of it, so that it counts about as much as a start or an end (Yang et al. 2019, the released code)
            loss = loss + 0.5 * F.binary_cross_entropy_with_logits(cls_logits, is_impossible.flatten().float())
        return states.updated(loss=loss)

    def _best(self, hidden: Tensor, start_logits: Tensor, barred: Tensor | None, cls: Tensor) -> dict[str, Tensor]:
        start_probabilities = start_logits.softmax(dim=-1)
        best_starts, start_index = _top(start_probabilities, self.start_n_top, barred)  # (B, K)
        end_logits = self.end(hidden, _at(hidden, start_index))  # (B, S, K)
        end_probabilities = _without(end_logits, None if barred is None else barred[..., None]).softmax(dim=1)
        best_ends, end_index = _top(end_probabilities.transpose(1, 2), self.end_n_top, barred)  # (B, K, L)
        missing = (start_index < 0)[..., None]
        best_ends, end_index = best_ends.masked_fill(missing, 0.0), end_index.masked_fill(missing, -1)
        expected_start = (start_probabilities[:, None] @ hidden).squeeze(1)  # (B, D)
        return {
            "start_top_log_probs": best_starts,
            "start_top_index": start_index,
            "end_top_log_probs": best_ends.transpose(1, 2).flatten(1),
            "end_top_index": end_index.transpose(1, 2).flatten(1),
            "cls_logits": self.answer(expected_start, cls),
        }


def _barred(p_mask: Tensor | None, mask: Tensor | None) -> Tensor | None:
    """True ``(B, S)`` where no answer starts or ends: padding, and what the caller says."""
    padding = None if mask is None else ~mask
    if p_mask is None:
        return padding
    return p_mask.bool() if padding is None else p_mask.bool() | padding


def _without(logits: Tensor, barred: Tensor | None) -> Tensor:
    return logits if barred is None else logits.masked_fill(barred, torch.finfo(logits.dtype).min)


def _at(states: Tensor, index: Tensor, mask: Tensor | None = None) -> Tensor:
    """States ``(B, S, D)`` at places ``(B, K)`` -> ``(B, K, D)``; a place outside the text reads its nearest end."""
    index = index.clamp(0, states.shape[1] - 1)
    if mask is not None:
        first = mask.long().argmax(1, keepdim=True)
        last = mask.shape[1] - 1 - mask.long().flip(1).argmax(1, keepdim=True)
        index = index.clamp(first, last)
    return states.take_along_dim(index[..., None], dim=1)


def _top(probabilities: Tensor, count: int, barred: Tensor | None) -> tuple[Tensor, Tensor]:
    """The ``count`` highest of ``(B, …, S)`` and their places, filled up with 0 and -1 where there are fewer."""
    length = probabilities.shape[-1]
    best, index = probabilities.topk(min(count, length), dim=-1)
    if barred is not None:
        choices = barred.view(len(barred), *(1,) * (index.dim() - 2), length).expand(*index.shape[:-1], length)
        missing = choices.gather(-1, index)
        best, index = best.masked_fill(missing, 0.0), index.masked_fill(missing, -1)
    return F.pad(best, (0, count - best.shape[-1])), F.pad(index, (0, count - index.shape[-1]), value=-1)


@dataclass(kw_only=True)
class SpanBeamConfig(ModelConfig):
    """Keys of the configs whose architecture has a `SpanBeamHead`."""

    layer_norm_eps: Epsilon = 1e-12
    """Added to the variance in every layer norm."""
    start_n_top: Size = 5
    """Number of starts that the beam head considers."""
    end_n_top: Size = 5
    """Number of ends that it considers for each."""


_S = TypeVar("_S", bound=SpanBeamConfig)


def span_beam(prefix: str = "") -> HeadPlan[_S]:
    """The head whose tensors' names begin with ``prefix`` in a checkpoint."""
    return HeadPlan(
        _built,
        rules={
            "beam": (
                Rename(prefix + "start_logits.dense.{p}", "head.start.{p}"),
                Rename(prefix + "end_logits.dense_0.{p}", "head.end.join.{p}"),
                Rename(prefix + "end_logits.LayerNorm.{p}", "head.end.norm.{p}"),
                Rename(prefix + "end_logits.dense_1.{p}", "head.end.score.{p}"),
                Rename(prefix + "answer_class.dense_0.{p}", "head.answer.join.{p}"),
                Rename(prefix + "answer_class.dense_1.{p}", "head.answer.score.{p}"),
            )
        },
    )


def _built(config: SpanBeamConfig, backbone: Backbone) -> SpanBeamHead:
    width = backbone.width
    return SpanBeamHead(
        nn.Linear(width, 1),
        EndScorer(nn.Linear(2 * width, width), nn.LayerNorm(width, eps=config.layer_norm_eps), nn.Linear(width, 1)),
        AnswerClassifier(nn.Linear(2 * width, width), nn.Linear(width, 1, bias=False)),
        start_n_top=config.start_n_top,
        end_n_top=config.end_n_top,
    )
