"""Filling up rows that were tokenized earlier, as a collate function of a data loader does."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfx_core.errors import InputError
from tfx_core.text.batch import Batch
from tfx_core.text.columns import Grid, TensorKind, as_tensor, fill_value, padded_lists
from tfx_core.text.lengths import Padding


def read_rows(encoded: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], TensorKind, bool]:
    """Columns of lists, the kind of tensor they came as, and whether they are of several rows.

    Raises `InputError` where ``input_ids`` is missing or the columns have different numbers of rows.
    """
    if not isinstance(encoded, Mapping):
        first = encoded[0] if encoded else {}
        encoded = {name: [row[name] for row in encoded] for name in first}
    if "input_ids" not in encoded:
        raise InputError(f"pad() needs input_ids; it was given {', '.join(map(repr, encoded)) or 'nothing'}")
    kind = _kind(encoded["input_ids"])
    columns = {name: _plain(values) for name, values in encoded.items()}
    batched = not columns["input_ids"] or isinstance(columns["input_ids"][0], list | tuple)
    if not batched:
        columns = {name: [values] for name, values in columns.items()}
    counts = {name: len(values) for name, values in columns.items()}
    if len(set(counts.values())) > 1:
        raise InputError(f"pad() was given columns of different numbers of rows: {counts}")
    return columns, kind, batched


def pad_columns(columns: dict[str, Any], padding: Padding | None, tensors: TensorKind, batched: bool) -> Batch:
    """The columns filled up; one that is not per token, or unknown, stays as it is.

    Raises `InputError` where rows of different length were to become a tensor.
    """
    lengths = [len(row) for row in columns["input_ids"]]
    longest = max(lengths, default=0)
    length = longest if padding is None else padding.target(longest)
    if tensors is None:
        padded = dict(columns if padding is None else padded_lists(columns, padding, length))
        return Batch(padded if batched else {name: values[0] for name, values in padded.items()})
    grid = Grid(lengths, length, padding)
    arrays = {}
    for name, rows in columns.items():
        known = padding is None or fill_value(name, padding) is not None
        arrays[name] = grid.array(name, rows) if known else _rectangle(name, rows)
    return Batch({name: as_tensor(array if batched else array[0], tensors) for name, array in arrays.items()})


def _rectangle(name: str, rows: Any) -> Any:
    try:
        return np.asarray(rows)
    except ValueError:
        raise InputError(f"pad() does not know what to fill {name!r} up with; pad it before, or return lists") from None


def _kind(values: Any) -> TensorKind:
    while isinstance(values, list | tuple) and values:
        values = values[0]
    if isinstance(values, np.ndarray):
        return "np"
    return "pt" if type(values).__module__.partition(".")[0] == "torch" else None


def _plain(values: Any) -> Any:
    if hasattr(values, "tolist"):
        return values.tolist()
    return [_plain(value) for value in values] if isinstance(values, list | tuple) else values
