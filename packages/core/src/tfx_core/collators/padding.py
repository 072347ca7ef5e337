"""Rows of different lengths as one batch; what is filled up never counts in a loss."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from tfx_core.errors import InputError, shown
from tfx_core.model.heads import IGNORED
from tfx_core.text import Batch, Tokenizer

_LABELS = ("label", "label_ids")
"""What data sets call ``labels``."""

_OF_TOKENS = ("input_ids", "attention_mask", "token_type_ids", "special_tokens_mask")


class Padding:
    """Fills rows up to the longest of them, as ``collate_fn`` of a data loader.

    A row is what a tokenizer gives for one text or pair, with or without labels and further columns: numbers, rows of
    equal lengths, or a value for each token. Labels of tokens, those of a target included (a translation, a summary),
    are filled up with -100, which no loss counts; ``label`` and ``label_ids`` become ``labels``. The side is the
    tokenizer's; lengths become multiples of ``pad_to_multiple_of``.
    """

    def __init__(self, tokenizer: Tokenizer, *, pad_to_multiple_of: int | None = None) -> None:
        self.tokenizer = tokenizer
        self.pad_to_multiple_of = pad_to_multiple_of

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> Batch:
        """The batch; raises `InputError` for rows of different columns, and for a column of what is no number."""
        columns = _columns(rows)
        of_tokens = {name: values for name, values in columns.items() if name in _OF_TOKENS}
        batch = self.tokenizer.pad(of_tokens, pad_to_multiple_of=self.pad_to_multiple_of, return_tensors="pt")
        lengths, width = [len(row) for row in columns["input_ids"]], batch["input_ids"].shape[1]
        for name, values in columns.items():
            if name not in of_tokens:
                batch[name] = self._column(name, values, lengths, width)
        return batch

    def _column(self, name: str, values: Sequence[Any], lengths: Sequence[int], width: int) -> Tensor:
        """A column that the tokenizer does not know."""
        own = [len(row) if isinstance(row, list) else -1 for row in values]
        if -1 not in own and (all(map(_are_whole, values)) if name == "labels" else own == lengths):
            multiple = self.pad_to_multiple_of or 1
            width = width if own == lengths else -(-max(own) // multiple) * multiple
            values = [self._filled(row, width, IGNORED if name == "labels" else 0) for row in values]
        try:
            return torch.tensor(values)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                f"column {name!r}, {shown(values[0])} and so on, makes no tensor; remove it: {error}"
            ) from None

    def _filled(self, row: list[Any], width: int, value: int) -> list[Any]:
        more = [value] * (width - len(row))
        return [*more, *row] if self.tokenizer.padding_side == "left" else [*row, *more]


class NextTokens(Padding):
    """`Padding` of texts to continue: the labels are the tokens themselves, and padding has none.

    The model shifts them. A row that has ``labels`` keeps them: a prompt that is not to be learned has -100 there.
    """

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> Batch:
        """The batch."""
        batch = super().__call__(rows)
        if "labels" not in batch:
            real = real_tokens(batch, rows, self.tokenizer)
            batch["labels"] = batch["input_ids"].masked_fill(~real, IGNORED)
        return batch


def _are_whole(row: Sequence[object]) -> bool:
    return all(isinstance(each, int) for each in row)


def real_tokens(batch: Mapping[str, Tensor], rows: Sequence[Mapping[str, Any]], tokenizer: Tokenizer) -> Tensor:
    """Which tokens ``(B, S)`` are real: padding may have the id of a real one."""
    if "attention_mask" in batch:
        return batch["attention_mask"] != 0
    counts = torch.tensor([len(row["input_ids"]) for row in rows])[:, None]
    places = torch.arange(batch["input_ids"].shape[1])
    return places >= len(places) - counts if tokenizer.padding_side == "left" else places < counts


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Name -> values of all rows, as lists and numbers."""
    check_rows(rows)
    first = rows[0].keys() if rows else ()
    names = {name: "labels" if name in _LABELS else name for name in first}
    if not names or len(set(names.values())) < len(names):
        raise InputError(f"columns {sorted(names)}: there must be rows, and labels under one name")
    return {ours: [_plain(row[name]) for row in rows] for name, ours in names.items()}


def check_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise `InputError` for what is no list of rows with ids and the same columns."""
    if isinstance(rows, Mapping) or not all(isinstance(row, Mapping) for row in rows):
        raise InputError(f"{shown(rows)}: must be a list of rows, each what a tokenizer gives for one text or pair")
    first = rows[0].keys() if rows else ()
    for number, row in enumerate(rows):
        if row.keys() != first or "input_ids" not in row:
            raise InputError(f"row {number} has {shown(sorted(row))}; each needs input_ids, and all the same columns")
        ids = _plain(row["input_ids"])
        if not isinstance(ids, list) or not _are_whole(ids):
            raise InputError(
                f"row {number}: input_ids={shown(ids)}: must be the ids of one text, as a tokenizer gives them without "
                "return_tensors"
            )


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else list(value) if isinstance(value, tuple) else value
