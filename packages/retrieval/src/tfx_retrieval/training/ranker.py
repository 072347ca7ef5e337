"""Two encoders that learn together to rank passages, for a loop of one's own or a trainer."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tfx_core.errors import InputError
from tfx_retrieval.training.losses import rank_loss


class PassageRanker(nn.Module):
    """A question encoder and a passage encoder, trained by `tfx_retrieval.training.rank_loss`.

    Each is a module that makes of a batch's input, (N, S) a column, vectors (N, D), or an output that has them as
    ``pooler_output``, as DPR's encoders do; `SentenceSide` makes one of a sentence encoder, `FixedSide` of one that
    stays as it is. Both may share their model. A batch is what `RankingBatches` gives, and the answer has ``loss``,
    ``accuracy`` and ``scores`` (B, P).

    ``chunk_size`` computes so many texts at once, and again when gradients are wanted, so that of a large batch only
    the vectors are kept: the same loss and gradients in the memory of a chunk (Gao et al. 2021, "Scaling Deep
    Contrastive Learning Batch Size under Memory Limited Setup"). ``scale`` multiplies the inner products: 1 as DPR
    does, 20 or so for vectors of length one.
    """

    def __init__(
        self, questions: nn.Module, passages: nn.Module, *, scale: float = 1.0, chunk_size: int | None = None
    ) -> None:
        super().__init__()
        if chunk_size is not None and chunk_size < 1:
            raise InputError(f"chunk_size={chunk_size}: must be at least 1, or None")
        self.questions = questions
        self.passages = passages
        self.scale = scale
        self.chunk_size = chunk_size

    def forward(
        self,
        questions: Mapping[str, Tensor],
        passages: Mapping[str, Tensor],
        positives: Tensor,
        known: Tensor | None = None,
        identities: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The loss of a batch, see `tfx_retrieval.training.rank_loss`."""
        ranked = rank_loss(
            self._vectors(self.questions, questions),
            self._vectors(self.passages, passages),
            positives,
            known=known,
            identities=identities,
            scale=self.scale,
        )
        return {"loss": ranked.loss, "accuracy": ranked.accuracy, "scores": ranked.scores}

    def _vectors(self, module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        if self.chunk_size is None or not torch.is_grad_enabled():
            return _vectors(module, batch)
        chunks = _chunks(batch, self.chunk_size)
        return torch.cat([checkpoint(_vectors, module, chunk, use_reentrant=False) for chunk in chunks])


def _vectors(module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """Float32: large inner products of half precision overflow."""
    output: Any = module(**batch)
    return (output if isinstance(output, Tensor) else output.pooler_output).float()


def _chunks(batch: Mapping[str, Tensor], size: int) -> Iterator[dict[str, Tensor]]:
    count = len(next(iter(batch.values())))
    for start in range(0, count, size):
        yield {name: values[start : start + size] for name, values in batch.items()}
