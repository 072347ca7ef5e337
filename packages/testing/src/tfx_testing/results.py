"""Texts as a padded batch, and what a model makes of each of them."""

from collections.abc import Iterator

import torch
from torch import Tensor

from tfx_core.model import Model, ModelOutput
from tfx_testing.cases import CHOICE_HEADS, ArchitectureCase
from tfx_testing.tiny import each_stream, random_ids, target_ids

LENGTHS = (9, 4, 1, 6)


def padded_texts(case: ArchitectureCase, side: str, extra: int = 0) -> tuple[Tensor, Tensor]:
    """Ids and mask of texts of different lengths, padded on one side, with ``extra`` more columns than needed."""
    width = max(LENGTHS) + extra
    ids, mask = torch.zeros(len(LENGTHS), width, dtype=torch.long), torch.zeros(len(LENGTHS), width, dtype=torch.long)
    for row, length in enumerate(LENGTHS):
        place = slice(0, length) if side == "right" else slice(width - length, width)
        ids[row, place] = random_ids(case, 1, length, seed=row)[0]
        mask[row, place] = 1
    return ids, mask


def results_of_rows(case: ArchitectureCase, model: Model, ids: Tensor, mask: Tensor) -> list[dict[str, Tensor]]:
    """For each row its results, those of single tokens on real tokens only."""
    if model.head_name in CHOICE_HEADS:
        ids, mask = ids[:, None].repeat(1, 2, 1), mask[:, None].repeat(1, 2, 1)
    with torch.no_grad():
        target = target_ids(case, model.head_name, len(ids))
        output = model(input_ids=ids, attention_mask=mask, **target)
    rows = mask[:, 0] if mask.dim() == 3 else mask
    per_row: list[dict[str, Tensor]] = [{} for _ in rows]
    tokens = None if target or mask.dim() == 3 else mask.shape[1]
    for name, value in tensors_of(output, tokens):
        if len(value) != len(rows):  # a row for each choice
            value = value.view(len(rows), -1, *value.shape[1:])
        for row, real in enumerate(rows.bool()):
            of_row = value[row][0] if value.dim() > 3 or mask.dim() == 3 else value[row]
            if name == "last_hidden_state" and output.token_mask is not None:  # of which there may be fewer
                of_row = of_row[output.token_mask[row]]
            if name.endswith("_index"):  # columns, without the padding before the text
                of_row = torch.where(of_row < 0, of_row, of_row - real.long().argmax())
            per_row[row][name] = of_row[real] if of_row.dim() and of_row.shape[0] == len(real) else of_row
    return per_row


def tensors_of(output: ModelOutput, tokens: int | None) -> Iterator[tuple[str, Tensor]]:
    """Tensors by name, each stream's its own where they are of so many tokens of the text."""
    for name, value in output.items():
        if isinstance(value, Tensor):
            streams = [value] if tokens is None else each_stream(value, tokens)
            yield from ((f"{name} {number}" if number else name, each) for number, each in enumerate(streams))
