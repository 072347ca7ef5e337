"""One open file of weights and the tensors in it: mapped or read, never more of it than is asked for."""

import math
import mmap
import weakref
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard

import torch
from torch import Tensor

from tfx_core.errors import CheckpointError

_PIECE = 1 << 20
"""Bytes that a converting copy holds beside its target."""

_MOST_DIMENSIONS = 64
"""What torch's operations take."""


class WeightFile:
    """An open file. It stays the same file when another takes its name, as every save of ours does."""

    def __init__(self, path: Path, label: str) -> None:
        self.label = label
        try:
            self.stream = path.open("rb")
        except OSError as error:
            raise CheckpointError(f"{label}: cannot be read: {error.strerror}") from error
        weakref.finalize(self, self.stream.close)
        self.size = self.stream.seek(0, 2)
        self._mapping: mmap.mmap | None = None
        self._mapped: list[tuple[int, int]] = []  # sorted (start, stop) of what was handed out

    def read(self, start: int, count: int) -> bytearray:
        """``count`` bytes from ``start``; raises `CheckpointError` if the file ends before."""
        data = bytearray(count)
        self.read_into(start, memoryview(data))
        return data

    def read_into(self, start: int, target: memoryview) -> None:
        """Fill ``target`` from ``start``; raises `CheckpointError` if the file ends before."""
        self.stream.seek(start)
        if self.stream.readinto(target) != len(target):
            raise self._shortened()

    def map(self, start: int, count: int) -> Tensor | None:
        """Bytes as memory mapped from the file; ``None`` when any of them were mapped before.

        The mapping is private: writing to the tensor changes a copy of that page and never the file. Bytes are mapped
        once, because two tensors on the same memory would be tied without anyone having said so.
        """
        place = bisect(self._mapped, (start, start + count))
        if place > 0 and self._mapped[place - 1][1] > start:
            return None
        if place < len(self._mapped) and self._mapped[place][0] < start + count:
            return None
        if self._mapping is None:
            try:
                self._mapping = mmap.mmap(self.stream.fileno(), self.size, access=mmap.ACCESS_COPY)
            except ValueError as error:  # the file has fewer bytes by now
                raise self._shortened() from error
        self._mapped.insert(place, (start, start + count))
        return torch.frombuffer(self._mapping, dtype=torch.uint8, offset=start, count=count)

    def _shortened(self) -> CheckpointError:
        return CheckpointError(f"{self.label}: became shorter while it was read; load it again")


@dataclass(frozen=True)
class TensorEntry:
    """A tensor in a file: its type and shape are known, none of its values were read."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    file: WeightFile = field(repr=False)
    start: int
    """Place in the file of the first element, in bytes."""

    stride: tuple[int, ...]
    """Elements between neighbours, per dimension; a pickled file may hold a transposed or repeated view."""

    @property
    def nbytes(self) -> int:
        """Bytes of the file from the first element to the last."""
        if 0 in self.shape:
            return 0
        last = sum((size - 1) * step for size, step in zip(self.shape, self.stride, strict=True))
        return (last + 1) * self.dtype.itemsize

    @property
    def memory(self) -> int:
        """Bytes of the tensor that `load` gives, more than `nbytes` where elements of the file stand in it twice."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def is_contiguous(self) -> bool:
        """Whether the elements lie one after the other, the last dimension fastest."""
        return self.stride == contiguous_stride(self.shape)

    def load(self) -> Tensor:
        """The tensor, in memory that no other caller has: mapped from the file, or a copy if it was mapped before.

        It is contiguous. A mapped tensor may be written to; the file does not change. Raises `CheckpointError`.
        """
        aligned = self.start % self.dtype.itemsize == 0  # old files start their data anywhere
        raw = self.file.map(self.start, self.nbytes) if aligned and self.is_contiguous and self.nbytes else None
        return self._read() if raw is None else raw.view(self.dtype).view(self.shape)

    def copy_into(self, target: Tensor) -> None:
        """Fill ``target``, of this shape but any type, strides and device, without a second copy of it in memory."""
        if tuple(target.shape) != self.shape:
            raise ValueError(f"{self.name} has shape {self.shape}, the target {tuple(target.shape)}")
        if not self.is_contiguous:
            target.copy_(self._read())
        elif target.is_contiguous() and target.dtype == self.dtype and target.device.type == "cpu":
            self.file.read_into(self.start, _memory(target))
        else:
            target = target if self.shape else target.unsqueeze(0)
            for first, rows in self._pieces():
                target[first : first + len(rows)].copy_(_laid_out_as(target, rows))

    def same_values(self, other: "TensorEntry") -> bool:
        """Whether both hold the same numbers, bit by bit, in the same type and shape."""
        if (self.shape, self.dtype) != (other.shape, other.dtype):
            return False
        if (self.file, self.start, self.stride) == (other.file, other.start, other.stride):
            return True
        if self.is_contiguous and other.is_contiguous:
            pairs = zip(self._pieces(), other._pieces(), strict=True)
        else:
            pairs = zip([(0, self._read())], [(0, other._read())], strict=True)
        return all(_memory(mine) == _memory(theirs) for (_, mine), (_, theirs) in pairs)

    @property
    def is_blank(self) -> bool:
        """Whether all of its numbers are zero."""
        return not self._read().any()

    def _read(self) -> Tensor:
        raw = torch.empty(self.nbytes, dtype=torch.uint8)
        self.file.read_into(self.start, _memory(raw))
        return raw.view(self.dtype).as_strided(self.shape, self.stride).contiguous()

    def _pieces(self) -> Iterator[tuple[int, Tensor]]:
        """Of contiguous elements, (number of the first row, rows), a few megabytes at a time."""
        shape = self.shape or (1,)
        if 0 in shape:
            return
        row = self.nbytes // shape[0]
        step = max(1, _PIECE // row)
        for first in range(0, shape[0], step):
            count = min(step, shape[0] - first)
            raw = torch.empty(count * row, dtype=torch.uint8)
            self.file.read_into(self.start + first * row, _memory(raw))
            yield first, raw.view(self.dtype).view(count, *shape[1:])


def _laid_out_as(target: Tensor, rows: Tensor) -> Tensor:
    """Some rows for a target, transposed first where it is: torch is several times as fast at that in one piece."""
    transposed = target.dim() == 2 and target.stride(0) == 1 and target.device.type == "cpu"
    return rows.t().contiguous().t() if transposed else rows


def contiguous_stride(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Elements between neighbours when the last dimension is the fastest, as torch counts them."""
    stride, step = [], 1
    for size in reversed(shape):
        stride.append(step)
        step *= max(size, 1)
    return tuple(reversed(stride))


def is_size(value: object) -> TypeGuard[int]:
    """Whether a value out of a file is a number of things that torch can count."""
    return type(value) is int and 0 <= value < 2**63


def are_sizes(value: object) -> TypeGuard[Sequence[int]]:
    """Whether a value out of a file is a list of sizes, not longer than a shape may be."""
    return isinstance(value, (list, tuple)) and len(value) <= _MOST_DIMENSIONS and all(map(is_size, value))


def is_shape(value: object) -> TypeGuard[Sequence[int]]:
    """Whether they are sizes that torch can multiply, which it does also where one of them is 0."""
    return are_sizes(value) and is_size(math.prod(max(size, 1) for size in value))


def _memory(tensor: Tensor) -> memoryview:
    """The bytes of a contiguous tensor, for reading and writing."""
    return tensor.detach().reshape(-1).view(torch.uint8).numpy().data
