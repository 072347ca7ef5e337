"""What a backbone can say of how it reads long texts: with a memory of earlier segments, and in which order."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class ReadsSegments(Protocol):
    """A backbone that reads on from the memory of earlier segments, which its output has as ``mems``."""

    @property
    def remembered_tokens(self) -> int | None:
        """Tokens that it remembers at most; None for all, 0 for none."""
        ...

    def segment_inputs(self, mems: "Sequence[Tensor] | None", *, remember: bool) -> dict[str, Any]:
        """The inputs of a call that reads on from ``mems`` and, if need be, remembers; None for what is left out."""
        ...


@runtime_checkable
class ReadsInAnyOrder(Protocol):
    """A backbone whose states predict the tokens at places that are named, and not the ones after its inputs."""

    def left_to_right(self, ids: "Tensor", ends: Sequence[int], scored: Sequence[int]) -> "dict[str, Tensor]":
        """Inputs beside ids ``(B, S)`` by which each row predicts tokens from those before them.

        Predicted are the last ``scored`` ones of the tokens up to ``ends``; their states come at the end of the row of
        states, ``(B, M, D)`` for the most that a row has.
        """
        ...
