"""What `generate` returns, and how it is gathered while rows come and go."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.generation.options import GenerationOptions
from tfx_core.generation.prompts import Prompts
from tfx_core.generation.state import DecodingState, ReportingState
from tfx_core.model.outputs import ModelOutput
from tfx_core.nn import DecoderCache


class GenerationOutput(ModelOutput):
    """The result of one `generate` call; ``N = batch · num_return_sequences`` texts, ``T`` the most new tokens.

    In ``scores`` and ``logits`` a text that has ended has probability 1 for the padding token. What was not asked for
    is ``None``, and no item.

    ``logits`` are like ``scores``, as the model gave them. ``past_key_values`` is what it knows of the texts up to
    their last tokens, for another call to go on with; there is none of beams.

    ``attentions``, ``hidden_states`` and ``cross_attentions`` are reported for each new token, and there for each
    layer: of all tokens of the prompts first, then of the newest token; of rows that have ended zeros. Beside an
    encoder they are called ``decoder_attentions``, ``decoder_hidden_states``; ``encoder_attentions`` and
    ``encoder_hidden_states`` are what was read once. Which word comes from which `tfx_core.alignment` makes of the
    finished text, also where beams lost their steps: a row of ``cross_attentions`` is that of a token's ``"written"``
    step there.
    """

    __slots__ = ()

    places: ClassVar[tuple[str, ...]] = (
        *("sequences", "sequences_scores", "scores", "logits", "beam_indices"),
        *("encoder_attentions", "encoder_hidden_states", "attentions", "decoder_attentions", "cross_attentions"),
        *("hidden_states", "decoder_hidden_states", "past_key_values"),
    )
    sequences: Tensor
    """``(N, P + T)``: the prompts, padded on the left, and the new tokens, padded on the right."""
    sequences_scores: Tensor | None
    """``(N,)``, beams: the sum of the log-probabilities by the length penalty."""
    scores: tuple[Tensor, ...] | None
    """For each new token ``(rows, V)``: what it was chosen by, logits or, of beams, log-probabilities."""
    beam_indices: Tensor | None
    """``(N, T)``, beams: the row of ``scores`` that each token was chosen from, -1 after the end."""

    def __getattr__(self, name: str) -> Any:
        return None if name in self.places and name not in self else super().__getattr__(name)


@dataclass(frozen=True)
class Decoded:
    """What a strategy decoded: for each row of the result the new tokens, and of beams their scores and origins."""

    tokens: Sequence[Tensor]
    scores: Tensor | None = None
    beam_indices: Sequence[Tensor] | None = None
    cache: DecoderCache | None = None

    def output(self, prompts: Prompts, copies: int, pad: int, recorder: "ScoreRecorder") -> GenerationOutput:
        """The result, with every prompt before its ``copies`` texts."""
        new = filled(self.tokens, pad)
        begin = prompts.padded.repeat_interleave(copies, dim=0)
        scores, logits = recorder.result(new.shape[1])
        reports = recorder.reported(new.shape[1])
        return GenerationOutput(
            reports,
            sequences=torch.cat((begin, new.to(begin.dtype)), dim=1),
            sequences_scores=self.scores,
            scores=scores,
            logits=logits,
            beam_indices=None if self.beam_indices is None else filled(self.beam_indices, -1),
            past_key_values=self.cache,
        )


class ScoreRecorder:
    """Keeps scores and logits, if they are wanted, as if all ``rows`` had stayed to the end."""

    def __init__(
        self,
        rows: int,
        pad: int,
        *,
        scores: bool = False,
        logits: bool = False,
        state: ReportingState | None = None,
    ) -> None:
        self.rows = rows
        self.pad = pad
        self._scores: list[Tensor] | None = [] if scores else None
        self._logits: list[Tensor] | None = [] if logits else None
        self._state = state
        self._reports: dict[str, list[tuple[Tensor, ...]]] = {}

    @classmethod
    def of(cls, options: GenerationOptions, sources: int, pad: int, state: DecodingState) -> Self:
        """What the options ask to keep, and what the state reports."""
        rows = sources * max(options.num_beams, options.num_return_sequences)
        wanted = options.return_dict_in_generate
        return cls(
            rows,
            pad,
            scores=wanted and options.output_scores,
            logits=wanted and options.output_logits,
            state=state if isinstance(state, ReportingState) else None,
        )

    @property
    def kept_scores(self) -> tuple[Tensor, ...] | None:
        """Those so far, a tensor for each new token; ``None`` where they are not wanted."""
        return None if self._scores is None else tuple(self._scores)

    def scores(self, values: Tensor, places: Tensor, positions: Tensor) -> None:
        """Note ``(R, V)`` for new token ``positions`` ``(R,)`` of rows ``places`` ``(R,)``."""
        if self._scores is not None:
            self._note(self._scores, values, places, positions)

    def logits(self, values: Tensor, places: Tensor, positions: Tensor) -> None:
        """The same of what the model gave."""
        if self._logits is not None:
            self._note(self._logits, values, places, positions)

    def reports(self, places: Tensor) -> None:
        """Note what the state reports of its last step with the rows ``places`` ``(R,)``."""
        for name, layers in self._state.reports().items() if self._state is not None else ():
            self._reports.setdefault(name, []).append(tuple(self._at(places, each) for each in layers))

    def reported(self, length: int) -> dict[str, tuple[Any, ...]]:
        """What was noted of the first ``length`` new tokens, and what is known of the source."""
        of_source = {} if self._state is None else self._state.source_reports()
        return {**of_source, **{name: tuple(steps[:length]) for name, steps in self._reports.items()}}

    def result(self, length: int) -> tuple[tuple[Tensor, ...] | None, tuple[Tensor, ...] | None]:
        """Scores and logits of the first ``length`` new tokens."""
        kept = (None if each is None else tuple(each[:length]) for each in (self._scores, self._logits))
        return next(kept), next(kept)

    def _at(self, places: Tensor, values: Tensor) -> Tensor:
        """``values`` of the rows, or of their sources, among all rows."""
        spread = values.new_zeros(self.rows, *values.shape[1:])
        spread[places] = values.repeat_interleave(len(places) // len(values), dim=0)
        return spread

    def _note(self, steps: list[Tensor], values: Tensor, places: Tensor, positions: Tensor) -> None:
        for position in sorted(set(positions.tolist())):
            while len(steps) <= position:
                over = values.new_full((self.rows, values.shape[1]), float("-inf"), dtype=torch.float32)
                over[:, self.pad] = 0
                steps.append(over)
            here = positions == position
            steps[position][places[here]] = values[here].float()


def transition_scores(output: GenerationOutput, *, normalize_logits: bool = False) -> Tensor:
    """The score of every new token ``(N, T)``, 0 after the end of a text; needs ``output_scores=True``.

    ``normalize_logits`` makes log-probabilities of the scores first; those of beams are already.
    """
    if output.scores is None:
        raise InputError("the output has no scores: generate with output_scores=True, return_dict_in_generate=True")
    scores = torch.stack(output.scores, dim=1)  # (rows, T, V)
    if normalize_logits:
        scores = scores.log_softmax(-1)
    if output.beam_indices is None:
        return scores.gather(2, output.sequences[:, -scores.shape[1] :, None]).squeeze(2)
    rows = output.beam_indices
    length = rows.shape[1]
    tokens = output.sequences[:, -length:]
    chosen = scores[rows.clamp(min=0), torch.arange(length, device=rows.device), tokens]
    return chosen.masked_fill(rows < 0, 0.0)


def outside_inference(output: GenerationOutput) -> GenerationOutput:
    """The same with copies of what was made in inference mode, which a caller may write into and train with."""
    return GenerationOutput({name: _outside(value) for name, value in output.items()})


def filled(parts: Sequence[Tensor], value: int) -> Tensor:
    """Stack 1-D tensors, each filled up with ``value``: ``(len(parts), longest)``."""
    return torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True, padding_value=value)


def _outside(value: object) -> Any:
    if isinstance(value, tuple):
        return tuple(_outside(each) for each in value)
    return value.clone() if isinstance(value, Tensor) and value.is_inference() else value
