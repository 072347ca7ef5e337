"""What looks on while attention is computed: it records, and switches heads off."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from torch import Tensor

from tfx_core.errors import InputError


@dataclass
class Observer:
    """Is shown the attention weights of one layer and gives back those to use; any attention can report to it."""

    record: list[Tensor] | None = None
    """Where to append the weights as they are used."""

    head_mask: Tensor | None = None
    """Factors of the weights, ``(1, H, 1, 1)``."""

    used: bool = field(default=False, init=False)
    """Whether it has been shown any weights."""

    @property
    def queries(self) -> Tensor | None:
        """Which tokens attend, ``(B, T)``, where those are not all of a row, or not in their order."""
        return None

    def __call__(self, weights: Tensor) -> Tensor:
        """``(B, H, T, S)`` after softmax and dropout -> the same, as the values are to be summed with.

        Raises `InputError` for factors of another number of heads.
        """
        self.used = True
        if self.head_mask is not None:
            if self.head_mask.shape[1] != weights.shape[1]:
                raise InputError(f"head mask of {self.head_mask.shape[1]} heads: a layer has {weights.shape[1]}")
            weights = weights * self.head_mask
        return weights if self.record is None else self.report(weights)

    def report(self, weights: Tensor) -> Tensor:
        """Record the weights ``(B, H, T, S)``; the values are summed with what this returns."""
        assert self.record is not None
        self.record.append(weights)
        return weights


@dataclass
class Recorder:
    """What a call of a stack reports: a list is filled, ``None`` is not asked for.

    Head masks have for each layer ``(1, H, 1, 1)``.
    """

    hidden_states: list[Tensor] | None = None
    attentions: list[Tensor] | None = None
    cross_attentions: list[Tensor] | None = None
    head_mask: Sequence[Tensor] | None = None
    cross_head_mask: Sequence[Tensor] | None = None

    @classmethod
    def asked(cls, layers: int, *, states: bool, weights: bool, head_mask: Tensor | None = None) -> Self:
        """Of a call of so many layers that is asked for hidden states or attentions, its heads masked as it says.

        Raises `InputError` for a mask of another shape than `expand_head_mask` takes.
        """
        return cls(
            hidden_states=[] if states else None,
            attentions=[] if weights else None,
            head_mask=expand_head_mask(head_mask, layers),
        )

    def add_state(self, x: Tensor) -> Tensor:
        """Report a hidden state ``(B, T, D)``, if they are asked for; what comes next reads what this returns."""
        if self.hidden_states is not None:
            self.hidden_states.append(x)
        return x

    def observer(self, layer: int) -> Observer | None:
        """Of the self-attention of the layer that runs as number ``layer``."""
        return _observer(self.attentions, self.head_mask, layer)

    def cross_observer(self, layer: int) -> Observer | None:
        """Of its cross-attention."""
        return _observer(self.cross_attentions, self.cross_head_mask, layer)

    def reports(self) -> dict[str, tuple[Tensor, ...]]:
        """What was asked for, by the names that outputs give it."""
        lists = {
            "hidden_states": self.hidden_states,
            "attentions": self.attentions,
            "cross_attentions": self.cross_attentions,
        }
        return {name: tuple(each) for name, each in lists.items() if each is not None}


def _observer(record: list[Tensor] | None, head_mask: Sequence[Tensor] | None, layer: int) -> Observer | None:
    if record is None and head_mask is None:
        return None
    return Observer(record, None if head_mask is None else head_mask[layer])


def expand_head_mask(head_mask: Tensor | None, layers: int) -> list[Tensor] | None:
    """``(H,)`` or ``(layers, H)`` of factors -> for each layer ``(1, H, 1, 1)``; ``None`` without a mask.

    Raises `InputError` for other shapes.
    """
    if head_mask is None:
        return None
    if head_mask.dim() == 1:
        head_mask = head_mask.expand(layers, -1)
    if head_mask.dim() != 2 or len(head_mask) != layers:
        raise InputError(f"head mask of shape {tuple(head_mask.shape)}: must be (heads,) or ({layers} layers, heads)")
    return [row[None, :, None, None] for row in head_mask]
