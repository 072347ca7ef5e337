"""Processors and stopping criteria that were written for transformers: told apart by their parameters, and called so.

They see what they would see there: the whole batch ``(N, P + t)``, its prompts padded on the left, and of texts that
are over what they were, filled up.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError, shown
from tfx_core.generation.options import GenerationOptions
from tfx_core.generation.output import ScoreRecorder
from tfx_core.generation.processors import Processor
from tfx_core.generation.prompts import Prompts
from tfx_core.generation.rows import Rows
from tfx_core.generation.stopping import StoppingCriterion

_OURS, _THEIRS = "(scores, rows)", "(input_ids, scores), as in transformers"


class WholeBatch:
    """The ids ``(N, P + t)`` of all texts of a call, whichever rows have left it."""

    def __init__(self, prompts: Prompts, options: GenerationOptions, pad: int) -> None:
        self._width = prompts.ids.shape[1]
        self._pad = pad
        self._ids = prompts.ids.new_empty(len(prompts) * max(options.num_beams, options.num_return_sequences), 0)
        self._of: tuple[Rows, int] | None = None

    def ids(self, rows: Rows) -> Tensor:
        """Those of the rows where they belong, the others' filled up behind what they were."""
        if self._of is None or self._of[0] is not rows or self._of[1] != rows.width:
            here = self.of_rows(rows)
            grown = here.new_full((len(self._ids), here.shape[1]), self._pad)
            known = self._ids[:, : here.shape[1]]
            grown[:, : known.shape[1]] = known
            grown[rows.places] = here
            self._ids, self._of = grown, (rows, rows.width)
        return self._ids

    def of_rows(self, rows: Rows) -> Tensor:
        """Those of these rows alone ``(R, P + t)``, each up to the last column."""
        width = self._width + int(rows.new_lengths.max())
        columns = torch.arange(width, device=rows.ids.device) - width + rows.lengths[:, None]
        return rows.ids.gather(1, columns.clamp(min=0)).masked_fill(columns < 0, self._pad)

    def note(self, rows: Rows) -> Tensor:
        """Look at rows before some of them leave; a criterion by which none ends."""
        self.ids(rows)
        return torch.zeros_like(rows.lengths, dtype=torch.bool)

    def spread(self, values: Tensor, rows: Rows) -> Tensor:
        """Values ``(R, …)`` of rows where they belong ``(N, …)``, zeros elsewhere."""
        whole = values.new_zeros(len(self._ids), *values.shape[1:])
        whole[rows.places] = values
        return whole


@dataclass(frozen=True)
class TheirProcessor:
    """Called with ids and scores of the whole batch."""

    call: Callable[[Tensor, Tensor], Any]
    batch: WholeBatch

    def __call__(self, scores: Tensor, rows: Rows) -> Tensor:
        """The scores of the rows, of all that it gives."""
        whole = self.batch.spread(scores, rows)
        given = self.call(self.batch.ids(rows), whole)
        if not isinstance(given, Tensor) or given.shape != whole.shape:
            raise InputError(f"logits_processor: {shown(self.call)} gave no scores of shape {tuple(whole.shape)}")
        return given[rows.places].float()


@dataclass(frozen=True)
class TheirCriterion:
    """Called with ids, of the whole batch where no beams compete, and there with all scores if they are kept."""

    call: Callable[[Tensor, Any], Any]
    batch: WholeBatch
    beams: bool
    recorder: ScoreRecorder

    def __call__(self, rows: Rows) -> Tensor:
        """Which rows end; one answer stands for all of them."""
        ids = self.batch.of_rows(rows) if self.beams else self.batch.ids(rows)
        given = torch.as_tensor(self.call(ids, None if self.beams else self.recorder.kept_scores), device=ids.device)
        if given.numel() not in (1, len(ids)):
            raise InputError(f"stopping_criteria: {shown(self.call)} gave {given.numel()} answers for {len(ids)} rows")
        ends = given.bool().flatten().expand(len(ids))
        return ends if self.beams else ends[rows.places]


def processors_of(given: object, batch: WholeBatch) -> tuple[Processor, ...]:
    """What is given as ``logits_processor``, each in the form of ours."""
    return tuple(
        TheirProcessor(each, batch) if _takes_ids(each) else each for each in _listed(given, "logits_processor")
    )


def criteria_of(
    given: object, batch: WholeBatch, processors: Sequence[Processor], recorder: ScoreRecorder, *, beams: bool
) -> tuple[StoppingCriterion, ...]:
    """What is given as ``stopping_criteria``, each in the form of ours; ``processors`` are those beside them."""
    seen = not beams and any(isinstance(each, TheirProcessor) for each in processors)
    criteria: list[StoppingCriterion] = [batch.note] if seen else []
    for each in _listed(given, "stopping_criteria"):
        several = len(_parameters(each, "stopping_criteria")) > 1
        criteria.append(TheirCriterion(each, batch, beams, recorder) if several else each)
    return tuple(criteria)


def _listed(given: object, what: str) -> Sequence[Any]:
    if given is None:
        return ()
    if not isinstance(given, Sequence) or not all(map(callable, given)):
        raise InputError(f"{what}={shown(given)}: must be a list of what can be called")
    return given


def _takes_ids(processor: Any) -> bool:
    """Whether a processor is called as in transformers: the names of its parameters say so."""
    names = _parameters(processor, "logits_processor")
    first, second = (*names, "", "")[:2]
    if first == "input_ids" or second == "scores":
        return True
    if first in ("scores", "logits") or second == "rows":
        return False
    raise InputError(
        f"logits_processor: {shown(processor)} takes ({', '.join(names)}); which of the two it is shows by the names "
        f"{_OURS}, or {_THEIRS}"
    )


def _parameters(call: Any, what: str) -> list[str]:
    """The names of what is passed by its place."""
    try:
        signature = inspect.signature(call.forward if isinstance(call, nn.Module) else call)
    except (TypeError, ValueError):
        raise InputError(f"{what}: the parameters of {shown(call)} cannot be read; wrap it in a function") from None
    given = [each for each in signature.parameters.values() if each.kind not in (each.KEYWORD_ONLY, each.VAR_KEYWORD)]
    more = [each.name for each in given[2:] if each.default is each.empty and each.kind is not each.VAR_POSITIONAL]
    if more:
        raise InputError(f"{what}: {shown(call)} also takes {', '.join(more)}, which only transformers' own loop has")
    return [each.name for each in given for _ in range(2 if each.kind is each.VAR_POSITIONAL else 1)]
