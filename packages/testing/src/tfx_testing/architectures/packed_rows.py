"""Texts packed into a row, told by positions that begin again: each is as it is alone, in training too."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from tfx_core.model import Model
from tfx_core.nn import eager, sdpa
from tfx_testing.architectures.base import CaseChecks, heads
from tfx_testing.cases import CHOICE_HEADS, ArchitectureCase
from tfx_testing.checks import each
from tfx_testing.comparing import close
from tfx_testing.tiny import random_ids, tiny_model

LENGTHS = (5, 1, 7, 3)
OF_TOKENS = ("last_hidden_state", "logits", "start_logits", "end_logits", "prediction_logits")


def placing_heads(cls: Any) -> Sequence[str]:
    """The heads of one text each, and the backbone alone, of a model that reads positions."""
    return [head for head in heads(cls) if head not in CHOICE_HEADS] if _reads_positions(cls) else ()


@cache
def _reads_positions(cls: Any) -> bool:
    return "position_ids" in tiny_model(cls.case, "backbone").input_names


def language_heads(cls: type[CaseChecks]) -> Sequence[str]:
    """Those of them that learn from the tokens themselves."""
    return [head for head in placing_heads(cls) if head in ("causal-lm", "masked-lm")]


def texts_of_lengths(case: ArchitectureCase, lengths: tuple[int, ...] = LENGTHS) -> list[Tensor]:
    """Ids ``(1, T)`` of each."""
    return [random_ids(case, 1, length, seed) for seed, length in enumerate(lengths)]


def in_a_row(model: Model, parts: list[Tensor]) -> dict[str, Tensor]:
    """As `transformers.DataCollatorWithFlattening` makes it, but for labels and for where a model's positions begin."""
    positions = [torch.arange(part.shape[1])[None] + model.backbone.first_position for part in parts]
    return {"input_ids": torch.cat(parts, dim=1), "position_ids": torch.cat(positions, dim=1)}


def of_tokens(output: Any) -> list[Tensor]:
    """The results for each token."""
    length = output.last_hidden_state.shape[1]
    found = [getattr(output, name) for name in OF_TOKENS if name in output or name == "last_hidden_state"]
    return [each for each in found if each.dim() > 1 and each.shape[1] == length]


class PackedRowChecks(CaseChecks):
    """Rows of several texts."""

    @each(head=placing_heads)
    @pytest.mark.parametrize("kernel", [sdpa, eager])
    def test_packed_texts_do_not_see_each_other(self, head: str, kernel: Any) -> None:
        """A text in a row of several gives what it gives alone.

        Where it does not: a layer mixes tokens without asking ``span`` which belong together, such as a convolution, a
        pooling or a bias of positions by columns.
        """
        model, parts = tiny_model(self.case, head), texts_of_lengths(self.case)
        with torch.no_grad():
            packed = of_tokens(model(**in_a_row(model, parts), attention=kernel))
            alone = [of_tokens(model(part, attention=kernel)) for part in parts]
            together = of_tokens(model(in_a_row(model, parts)["input_ids"], attention=kernel))
        for number, found in enumerate(packed):
            apart = torch.cat([one[number] for one in alone], dim=1)
            close(found, apart, f"result {number} for the tokens of texts in a row, beside each text alone")
        assert not torch.allclose(packed[0], together[0], atol=1e-3), "positions that begin again change nothing"

    @each(head=placing_heads)
    def test_a_row_may_begin_within_a_text(self, head: str) -> None:
        """As where a stream of texts is cut into rows of one length: the first text's positions begin anywhere.

        Where it does not: texts are told by position 0, not by a position that is lower than the one before.
        """
        model = tiny_model(self.case, head)
        first, second = texts_of_lengths(self.case, (3, 5))
        begin = model.backbone.first_position
        moved, plain = torch.tensor([[4, 5, 6]]) + begin, torch.arange(second.shape[1])[None] + begin
        with torch.no_grad():
            packed = of_tokens(model(torch.cat((first, second), dim=1), position_ids=torch.cat((moved, plain), dim=1)))
            alone = [of_tokens(model(first, position_ids=moved)), of_tokens(model(second))]
        for number, found in enumerate(packed):
            apart = torch.cat([one[number] for one in alone], dim=1)
            close(found, apart, f"result {number} for the tokens of a row that begins within a text")

    @each(head=language_heads)
    def test_packed_texts_teach_what_they_teach_alone(self, head: str) -> None:
        """The gradients of a row of several texts are those of its texts, each label counted once.

        Where they are not: the label of a text's first token is predicted from the last one of the text before it.
        """
        model, parts = tiny_model(self.case, head), texts_of_lengths(self.case)
        labels = [part.masked_fill(torch.arange(part.shape[1]) == 0, -100) for part in parts]
        model(**in_a_row(model, parts), labels=torch.cat(labels, dim=1)).loss.backward()
        packed = {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}
        model.zero_grad()
        counted = sum(LENGTHS) - len(LENGTHS)
        for part, own in zip(parts, labels, strict=True):
            if part.shape[1] > 1:
                (model(part, labels=own).loss * (part.shape[1] - 1) / counted).backward()
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                what = f"the gradient of {name} by texts in a row, beside that by each alone"
                close(packed[name], parameter.grad, what, rtol=1e-3)

    @each(head=placing_heads)
    @pytest.mark.parametrize(
        "positions",
        [[1, 2, 3, 4, 5, 6], [0, 1, 2, 2, 3, 4], [0, 0, 0, 0, 0, 0], [5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5]],
        ids=lambda positions: "".join(map(str, positions)),
    )
    def test_other_positions_only_move_tokens(self, head: str, positions: list[int]) -> None:
        """Positions that do not begin again one by one say nothing of several texts: a mask changes nothing.

        Where it does: texts are told by any step of the positions that is not one.
        """
        model, ids = tiny_model(self.case, head), texts_of_lengths(self.case, (6,))[0]
        given = torch.tensor([positions]) + model.backbone.first_position
        mask = torch.ones_like(ids)
        with torch.no_grad():
            plain, masked = (
                of_tokens(model(ids, position_ids=given, **more)) for more in ({}, {"attention_mask": mask})
            )
        for number, (one, other) in enumerate(zip(plain, masked, strict=True)):
            close(one, other, f"result {number} at positions {positions}, beside that with a mask of ones")

    @each(head=placing_heads)
    def test_a_mask_or_a_cache_says_that_a_row_is_one_text(self, head: str) -> None:
        """Positions that begin again mean several texts only where nothing else says what a text is.

        Where they mean it all the same: the model looks at ``position_ids`` by itself, instead of at its
        ``span``.
        """
        model = tiny_model(self.case, head)
        row = in_a_row(model, texts_of_lengths(self.case))
        asked: dict[str, dict[str, Any]] = {"attention_mask": {"attention_mask": torch.ones_like(row["input_ids"])}}
        if model.backbone.causal and "use_cache" in model.input_names:
            asked["use_cache"] = {"use_cache": True}
        with torch.no_grad():
            packed = of_tokens(model(**row))[0]
            for name, more in asked.items():
                one = of_tokens(model(**row, **more))[0]
                assert not torch.allclose(packed, one, atol=1e-3), f"with {name} a row is still read as several texts"

    @each(head=lambda cls: placing_heads(cls)[:1])
    def test_several_rows_may_be_packed_and_compiled(self, head: str) -> None:
        """Rows of several texts each give what they give alone, and a compiled backbone gives the same.

        Where it does not: which texts there are is found from the numbers in ``position_ids`` in a way that a graph
        keeps from the first call.
        """
        model = tiny_model(self.case, head)
        parts = texts_of_lengths(self.case)
        row, other = in_a_row(model, parts), in_a_row(model, list(reversed(parts)))
        both = {name: torch.cat((row[name], other[name])) for name in row}
        with torch.no_grad():
            together = model(**both).last_hidden_state
            apart = torch.cat([model(**each).last_hidden_state for each in (row, other)])
            torch.compiler.reset()
            compiled = torch.compile(model, backend="eager")
            close(compiled(**both).last_hidden_state, together, "states of packed rows, compiled, beside those plain")
            moved = {**both, "position_ids": both["position_ids"] + 1}
            plain = model(**moved).last_hidden_state
            close(compiled(**moved).last_hidden_state, plain, "states at other positions, compiled, beside those plain")
        close(together, apart, "states of two packed rows, beside each row alone")
