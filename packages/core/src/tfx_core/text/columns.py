"""Rows of unequal length as a model takes them: filled up to one length, as lists or as one array or tensor each."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfx_core.errors import InputError
from tfx_core.habits import hint
from tfx_core.text.lengths import Padding

if TYPE_CHECKING:
    import torch

TensorKind = Literal["pt", "np"] | None
"""torch tensors, numpy arrays or (None) lists."""

TokenRows: TypeAlias = Sequence[Sequence[int]] | Sequence[Sequence[tuple[int, int]]]
Array: TypeAlias = "NDArray[np.int64] | torch.Tensor"


def check_tensor_kind(kind: object) -> None:
    """Raise `InputError` for a ``return_tensors`` that names nothing."""
    if kind not in (None, "pt", "np"):
        cure = hint("tokenizer(…)", 'return_tensors="tf"')
        raise InputError(f"return_tensors={kind!r}; {cure}")


def fill_value(name: str, padding: Padding) -> int | tuple[int, int] | None:
    """What a padded position holds in the column ``name``; None for a column that `pad` leaves as it is."""
    values: dict[str, int | tuple[int, int]] = {
        "input_ids": padding.token_id,
        "token_type_ids": padding.token_type_id,
        "attention_mask": 0,
        "special_tokens_mask": 1,
        "offset_mapping": (0, 0),
    }
    return values.get(name)


def padded_lists(columns: Mapping[str, TokenRows], padding: Padding, length: int) -> dict[str, TokenRows]:
    """Columns of lists with every row filled up to ``length``; longer rows stay as they are."""
    padded: dict[str, Any] = {}
    for name, rows in columns.items():
        value = fill_value(name, padding)
        if value is None:
            padded[name] = rows
        elif padding.side == "right":
            padded[name] = [[*row, *[value] * (length - len(row))] for row in rows]
        else:
            padded[name] = [[*[value] * (length - len(row)), *row] for row in rows]
    return padded


class Grid:
    """A rectangle of ``length`` positions for each row, ``occupied`` where the row has a token.

    Raises `InputError` where a row is longer, or shorter and nothing pads it.
    """

    def __init__(self, lengths: Iterable[int], length: int, padding: Padding | None) -> None:
        counts = np.fromiter(lengths, dtype=np.int64)  # (rows,)
        wrong = np.flatnonzero(counts > length if padding is not None else counts != length)
        if len(wrong):
            raise InputError(
                f"row {wrong[0]} has {counts[wrong[0]]} tokens and others {length}, which makes no tensor; "
                "pass padding=True to fill up short rows, truncation=True to cut long ones"
            )
        places = np.arange(length)
        if padding is not None and padding.side == "left":
            self.occupied = places >= length - counts[:, None]  # (rows, length)
        else:
            self.occupied = places < counts[:, None]
        self.padding = padding

    def array(self, name: str, rows: TokenRows) -> NDArray[np.int64]:
        """The column ``name`` as one (rows, length) array, (rows, length, 2) for offsets."""
        shape = (*self.occupied.shape, 2) if name == "offset_mapping" else self.occupied.shape
        flat: Iterable[Any] = chain.from_iterable(rows)
        if name == "offset_mapping":
            flat = chain.from_iterable(flat)
        values = np.fromiter(flat, dtype=np.int64).reshape(-1, *shape[2:])
        if self.padding is None:
            return values.reshape(shape)
        array = np.empty(shape, dtype=np.int64)
        array[self.occupied] = values
        array[~self.occupied] = fill_value(name, self.padding)
        return array


def as_tensor(array: NDArray[np.int64], kind: TensorKind) -> Array:
    """The array, or a tensor on its memory; torch is imported here, when a tensor is first asked for."""
    if kind == "np":
        return array
    import torch

    return torch.from_numpy(array)
