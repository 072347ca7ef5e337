"""From token ids to the vectors that a stack reads."""

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.habits import hint
from tfx_core.nn.real_tokens import can_read


class Embeddings(nn.Module):
    """Token vectors times ``scale``, plus position vectors, normalised, dropped out, projected.

    ``position`` turns position numbers into vectors, learned or computed; where positions come in elsewhere, give none.
    ``ids_name`` is what the call's input of ids is named in errors.
    """

    def __init__(
        self,
        token: nn.Embedding,
        position: nn.Module | None = None,
        *,
        scale: float = 1.0,
        norm: nn.Module | None = None,
        dropout: float = 0.0,
        project: nn.Module | None = None,
        ids_name: str = "input_ids",
    ) -> None:
        super().__init__()
        self.token = token
        self.ids_name = ids_name
        self.position = NoPositionEmbedding() if position is None else position
        self.scale = scale
        self.norm = nn.Identity() if norm is None else norm
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Identity() if project is None else project

    def forward(self, tokens: Tensor, positions: Tensor, segments: Tensor | None = None) -> Tensor:
        """Ids ``(…)``, or vectors ``(…, D)`` in the place of their scaled ones -> ``(…, D)``."""
        x = tokens if tokens.is_floating_point() else self.vectors(tokens)
        x = self.add_segments(x, segments)
        x = x + self.position(positions).to(x.dtype)
        y: Tensor = self.project(self.dropout(self.norm(x)))
        return y

    def vectors(self, ids: Tensor) -> Tensor:
        """Ids ``(…)`` -> the token table's vectors ``(…, D)`` times ``scale``; raises what `look_up` does."""
        x = look_up(self.token, ids, self.ids_name)
        return x if self.scale == 1.0 else x * self.scale

    @property
    def reads_segments(self) -> bool:
        """Whether `add_segments` is a subclass's, which adds something."""
        return type(self).add_segments is not Embeddings.add_segments

    def add_segments(self, x: Tensor, segments: Tensor | None) -> Tensor:
        """Add what stands for segments (token types); raises `InputError` where the model has none."""
        if segments is not None:
            raise InputError("token_type_ids: this model has no token types; leave them out")
        return x


class SegmentEmbeddings(Embeddings):
    """Embeddings with a table of segments; tokens without one belong to segment 0."""

    def __init__(
        self,
        token: nn.Embedding,
        position: nn.Module | None,
        segment: nn.Embedding,
        *,
        norm: nn.Module | None = None,
        dropout: float = 0.0,
        project: nn.Module | None = None,
    ) -> None:
        super().__init__(token, position, norm=norm, dropout=dropout, project=project)
        self.segment = segment

    def add_segments(self, x: Tensor, segments: Tensor | None) -> Tensor:
        """Add the segments' vectors."""
        if segments is None:  # of one zero, which broadcasts
            segments = torch.zeros((), dtype=torch.int64, device=x.device)
        return x + look_up(self.segment, segments, "token_type_ids")


def look_up(table: nn.Embedding, ids: Tensor, name: str) -> Tensor:
    """The ids' vectors; raises `InputError` for an id that the table does not have (on a GPU torch itself fails).

    And for ids that are on another device.
    """
    check_device(table.weight, ids, name)
    try:
        vectors: Tensor = table(ids)
    except IndexError as error:
        raise _beyond(ids, len(table.weight), name) or error from None
    return vectors


def check_device(weight: Tensor, ids: Tensor, name: str) -> None:
    """Raise `InputError` for ids that are not where the weights are; those on ``meta`` may be brought for the call."""
    if ids.device != weight.device and weight.device.type != "meta":
        cure = hint("model(…)", 'model(ids.to("cuda"))')
        raise InputError(f"{name} on {ids.device}: the model is on {weight.device}; {cure}")


def check_ids(ids: Tensor, size: int, name: str) -> None:
    """Raise `InputError` for an id that a table of this size does not have; it waits for a device.

    Nothing is checked while a call is recorded.
    """
    error = _beyond(ids, size, name) if can_read(ids) else None
    if error is not None:
        raise error


def _beyond(ids: Tensor, size: int, name: str) -> InputError | None:
    wrong = ids[(ids < 0) | (ids >= size)]
    if not len(wrong):
        return None
    cure = f"; {hint('model', 'ids beyond the vocabulary')}" if "input_ids" in name else ""
    return InputError(f"{name}: id {int(wrong[0])} is not one of this model's, 0 to {size - 1}{cure}")


class NoPositionEmbedding(nn.Module):
    """Adds nothing: positions come in with attention, or not at all."""

    def forward(self, positions: Tensor) -> Tensor:
        """Zero."""
        return torch.zeros((), device=positions.device)


class UnreadPositions(nn.Embedding):
    """A position table that checkpoints store though their model has relative positions and never reads it."""

    def forward(self, positions: Tensor) -> Tensor:
        """Zero."""
        return self.weight.new_zeros(())


class OffsetPositions(nn.Embedding):
    """A position table whose first ``offset`` rows belong to no position (BART's 2, RoBERTa's ``padding_idx + 1``)."""

    def __init__(self, positions: int, width: int, offset: int) -> None:
        super().__init__(positions + offset, width)
        self.offset = offset

    def forward(self, positions: Tensor) -> Tensor:
        """``(…) -> (…, D)``."""
        return super().forward(positions + self.offset)


class SinusoidalPositions(nn.Embedding):
    """A position table of sines and cosines (Vaswani et al. 2017, §3.5), stored but not trained.

    Beside each sine stands its cosine, or with ``halves`` all cosines behind all sines.
    """

    def __init__(self, positions: int, width: int, *, halves: bool = False) -> None:
        self.halves = halves  # before the table is made, which fills it
        super().__init__(positions, width)
        self.weight.requires_grad = False

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Fill the table, where it has values."""
        if self.weight.is_meta:  # torch would import its compiler to compute none
            return
        positions = torch.arange(len(self.weight), dtype=torch.float64)
        self.weight.copy_(_sinusoids(positions, self.weight.shape[1], self.halves))


class EndlessPositions(nn.Module):
    """The same of any position, made when it is asked for: no table, no longest text."""

    def __init__(self, width: int, *, halves: bool = False) -> None:
        super().__init__()
        self.width = width
        self.halves = halves

    def forward(self, positions: Tensor) -> Tensor:
        """``(…) -> (…, D)``, float32 whatever the model's type."""
        return _sinusoids(positions.float(), self.width, self.halves)


def _sinusoids(positions: Tensor, width: int, halves: bool) -> Tensor:
    """Positions ``(…)`` -> ``(…, D)``, in their type."""
    exponents = torch.arange(0, width, 2, dtype=positions.dtype, device=positions.device) / width
    # in this order, as in the released code: in float32 a far position leaves few bits for its angle
    angles = positions[..., None] * (1 / 10000**exponents)  # (…, ⌈D / 2⌉)
    sines, cosines = angles.sin(), angles[..., : width // 2].cos()
    if halves:
        return torch.cat((sines, cosines), dim=-1)
    both = angles.new_empty(*positions.shape, width)
    both[..., 0::2], both[..., 1::2] = sines, cosines
    return both
