"""Tables of embeddings in fewer bits than what is computed from them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.errors import InputError


class RoundedEmbedding(nn.Embedding):
    """A table for inference, in a type of fewer bits than the vectors that it gives; as a packed layer, no parameter.

    Raises `InputError` for a table with numbers that the type does not have.
    """

    def __init__(self, table: nn.Embedding, kept: torch.dtype, given: torch.dtype) -> None:
        vars(self).update(vars(table))  # nn.Embedding's own would draw a table
        self._parameters = {}
        self.weight = table.weight.detach().to(kept)
        self._given = given
        if not bool(torch.isfinite(torch.stack(torch.aminmax(self.weight))).all()):
            raise InputError(f"a table of embeddings has numbers beyond those of {kept}; load it with dtype='float32'")

    def forward(self, ids: Tensor) -> Tensor:
        """Ids ``(…) -> (…, D)``."""
        return F.embedding(ids, self.weight, self.padding_idx).to(self._given)
