"""Attention among aligned rows, reported as others report it: in the order of the text, padding included."""

from dataclasses import dataclass, field

import torch.nn.functional as F
from torch import Tensor

from tfx_core.nn import Observer, RealTokens, Recorder


@dataclass
class TextRecorder(Recorder):
    """Reports weights by the columns of the text; it fills another's lists."""

    order: Tensor = field(kw_only=True)
    """``(B, S)``: the column of the text that each aligned one was, see `RealTokens.order_real_first`."""

    @classmethod
    def of(cls, recorder: Recorder, real: RealTokens) -> Recorder:
        """The recorder for what aligned rows of these tokens report; the same one where nothing was moved."""
        return recorder if real.mask is None else cls(**vars(recorder), order=real.order_real_first())

    def observer(self, layer: int) -> Observer | None:
        """Of the self-attention of the layer that runs as number ``layer``."""
        plain = super().observer(layer)
        return None if plain is None else _TextObserver(plain.record, plain.head_mask, order=self.order)


@dataclass
class _TextObserver(Observer):
    order: Tensor = field(kw_only=True)

    def report(self, weights: Tensor) -> Tensor:
        """Record aligned weights ``(B, H, C, C)`` as ``(B, H, S, S)``; the values are summed with what these give."""
        assert self.record is not None
        columns, missing = weights.shape[-1], self.order.shape[1] - weights.shape[-1]
        of_text = _taken(F.pad(weights, (0, missing, 0, missing)), self.order.argsort(dim=1))
        self.record.append(of_text)
        return _taken(of_text, self.order[:, :columns])


def _taken(weights: Tensor, columns: Tensor) -> Tensor:
    """``(B, H, S, S)`` and ``(B, N)`` -> ``(B, H, N, N)``."""
    rows = columns[:, None, :, None].expand(-1, weights.shape[1], -1, weights.shape[3])
    return weights.gather(2, rows).gather(3, rows[..., :1].transpose(2, 3).expand(-1, -1, columns.shape[1], -1))
