"""What `generate` returns, and how it is gathered while rows come and go."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.generation.options import GenerationOptions
from tfx_core.generation.prompts import Prompts
from tfx_core.nn import DecoderCache


@dataclass(frozen=True)
class GenerationOutput:
    """The result of one `generate` call; ``N = batch · num_return_sequences`` texts, ``T`` the most new tokens.

    In ``scores`` and ``logits`` a text that has ended has probability 1 for the padding token.
    """

    sequences: Tensor
    """``(N, P + T)``: the prompts, padded on the left, and the new tokens, padded on the right."""
    sequences_scores: Tensor | None = None
    """``(N,)``, beams: the sum of the log-probabilities by the length penalty."""
    scores: tuple[Tensor, ...] | None = None
    """For each new token ``(rows, V)``: what it was chosen by, logits or, of beams, log-probabilities."""
    logits: tuple[Tensor, ...] | None = None
    """For each new token ``(rows, V)``: what the model gave."""
    beam_indices: Tensor | None = None
    """``(N, T)``, beams: the row of ``scores`` that each token was chosen from, -1 after the end."""
    past_key_values: DecoderCache | None = None
    """What the model knows of the texts up to their last tokens; to go on with by another call. Not of beams."""

    def __getitem__(self, name: str) -> object:
        if name not in self.__dataclass_fields__:
            raise KeyError(f"{name!r}; there are {', '.join(self.__dataclass_fields__)}")
        return getattr(self, name)


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
        return GenerationOutput(
            sequences=torch.cat((begin, new.to(begin.dtype)), dim=1),
            sequences_scores=self.scores,
            scores=scores,
            logits=logits,
            beam_indices=None if self.beam_indices is None else filled(self.beam_indices, -1),
            past_key_values=self.cache,
        )


class ScoreRecorder:
    """Keeps scores and logits, if they are wanted, as if all ``rows`` had stayed to the end."""

    def __init__(self, rows: int, pad: int, *, scores: bool = False, logits: bool = False) -> None:
        self.rows = rows
        self.pad = pad
        self._scores: list[Tensor] | None = [] if scores else None
        self._logits: list[Tensor] | None = [] if logits else None

    @classmethod
    def of(cls, options: GenerationOptions, sources: int, pad: int) -> Self:
        """What the options ask to keep."""
        rows = sources * max(options.num_beams, options.num_return_sequences)
        wanted = options.return_dict_in_generate
        return cls(rows, pad, scores=wanted and options.output_scores, logits=wanted and options.output_logits)

    def scores(self, values: Tensor, places: Tensor, positions: Tensor) -> None:
        """Note ``(R, V)`` for new token ``positions`` ``(R,)`` of rows ``places`` ``(R,)``."""
        if self._scores is not None:
            self._note(self._scores, values, places, positions)

    def logits(self, values: Tensor, places: Tensor, positions: Tensor) -> None:
        """The same of what the model gave."""
        if self._logits is not None:
            self._note(self._logits, values, places, positions)

    def result(self, length: int) -> tuple[tuple[Tensor, ...] | None, tuple[Tensor, ...] | None]:
        """Scores and logits of the first ``length`` new tokens."""
        kept = (None if each is None else tuple(each[:length]) for each in (self._scores, self._logits))
        return next(kept), next(kept)

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
    return GenerationOutput(**{each.name: _outside(getattr(output, each.name)) for each in fields(output)})


def filled(parts: Sequence[Tensor], value: int) -> Tensor:
    """Stack 1-D tensors, each filled up with ``value``: ``(len(parts), longest)``."""
    return torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True, padding_value=value)


def _outside(value: object) -> Any:
    if isinstance(value, tuple):
        return tuple(_outside(each) for each in value)
    return value.clone() if isinstance(value, Tensor) and value.is_inference() else value
