"""What is read for a question: documents with it, the generator's sources, and a score of each document."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.nn import can_read


@dataclass(frozen=True)
class Documents:
    """``n`` documents for each of ``B`` questions, those of one question side by side."""

    scores: Tensor
    """``(B, n)``, minus infinity where a question has fewer documents."""
    sources: Mapping[str, Any]
    """Inputs of the generator of ``B·n`` rows: ``input_ids`` ``(B·n, S)``, ``attention_mask``, ``encoder_outputs``."""

    @classmethod
    def of(
        cls, scores: Any, ids: Tensor | None, mask: Tensor | None, encoder_outputs: Any, n_docs: int | None = None
    ) -> Self:
        """Checked: an `InputError` says what does not fit. Rows whose mask has no token are no documents."""
        if scores.dim() != 2 or not scores.is_floating_point():
            raise InputError(f"doc_scores of shape {tuple(scores.shape)}, {scores.dtype}: must be numbers (batch, n)")
        if n_docs not in (None, scores.shape[1]):
            raise InputError(f"n_docs={n_docs}: doc_scores are of {scores.shape[1]} documents for each question")
        if ids is None and encoder_outputs is None:
            raise InputError("context_input_ids: give the documents with the question, or encoder_outputs of them")
        for name, given in (("context_input_ids", ids), ("context_attention_mask", mask)):
            if given is not None and (given.dim() != 2 or given.shape[0] != scores.numel()):
                raise InputError(
                    f"{name} of shape {tuple(given.shape)}: must be ({scores.numel()}, tokens), a row for each of "
                    f"doc_scores {tuple(scores.shape)}, the documents of a question side by side"
                )
        if mask is not None:
            real = mask.bool().any(dim=1)
            scores = scores.masked_fill(~real.view_as(scores), float("-inf"))
            mask = torch.cat((mask[:, :1].masked_fill(~real[:, None], 1), mask[:, 1:]), dim=1)  # reads something
        _check_scores(scores)
        sources = {"input_ids": ids, "attention_mask": mask, "encoder_outputs": encoder_outputs}
        return cls(scores, {name: value for name, value in sources.items() if value is not None})

    @property
    def count(self) -> int:
        """``n``."""
        return self.scores.shape[1]

    def each(self, targets: Tensor) -> Tensor:
        """What is given for each question ``(B, …)`` for each of its documents ``(B·n, …)``."""
        if targets.shape[0] != self.scores.shape[0]:
            raise InputError(
                f"{targets.shape[0]} targets are given for {self.scores.shape[0]} questions; give one each"
            )
        return targets.repeat_interleave(self.count, dim=0)


def _check_scores(scores: Tensor) -> None:
    if not can_read(scores):
        return
    wrong = (~(scores.isfinite().any(dim=1) & (scores < float("inf")).all(dim=1))).nonzero().flatten().tolist()
    if wrong:
        raise InputError(
            f"doc_scores: row {wrong[0]} is {scores[wrong[0]].tolist()}; must be numbers, minus infinity only where "
            "there is no document, and each question needs one"
        )
