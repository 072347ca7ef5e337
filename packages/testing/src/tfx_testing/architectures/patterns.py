"""Patterns of attention, by value or by name: as a dense mask, whatever padding there is."""

import copy
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tfx_core
from tfx_core.model import Model
from tfx_core.nn import Allowed, Bias, Chunks, FirstTokens, Scores, Window, eager, together
from tfx_testing.architectures.base import CaseChecks
from tfx_testing.cases import ArchitectureCase
from tfx_testing.checks import each
from tfx_testing.comparing import close
from tfx_testing.refusing import refused
from tfx_testing.tiny import random_ids, target_ids, tiny_model
from tfx_testing.writers import Writer, writers

LENGTH = 12
PATTERNS = {
    "window(1)": Window(1, 1),
    "window(1, 0)": Window(1, 0),
    "window(1, dilation=2)": Window(1, 1, dilation=2),
    "global(1, first=2)": FirstTokens(Window(1, 1), 2),
    "chunks(3)": Chunks(3, 1, 0),
}


def patterns(cls: type[CaseChecks]) -> Sequence[str]:
    """The names of patterns, of a model whose attention takes them."""
    return tuple(PATTERNS) if cls.case.patterns else ()


def takers(cls: type[CaseChecks]) -> Sequence[str]:
    """The backbone, where its attention takes patterns."""
    return [head for head in cls.heads() if head == "backbone" and cls.case.patterns]


def bounded_writers(cls: type[CaseChecks]) -> Sequence[Writer]:
    """What writes with attention that takes patterns, as it is without changes."""
    return [each for each in writers(cls) if cls.case.patterns and not each.changes and each.head in _WRITE]


_WRITE = ("causal-lm", "conditional-generation")


def states(case: ArchitectureCase, model: Model, ids: Tensor, attention: Any, **inputs: Any) -> Tensor:
    """Of the last stack."""
    with torch.no_grad():
        found: Tensor = model(ids, attention=attention, **targets(case, model, len(ids)), **inputs).last_hidden_state
    return found


def targets(case: ArchitectureCase, model: Model, rows: int) -> dict[str, Tensor]:
    """What a decoder beside an encoder reads, longer than what the encoder does."""
    given = target_ids(case, model.head_name, rows)
    return {name: random_ids(case, 1, LENGTH + 2, seed=1).expand(rows, -1) for name in given}


class Dense:
    """A kernel that knows the pattern as a mask of columns, for attention to no less than the queries' own text."""

    def __init__(self, pattern: Any) -> None:
        self.pattern = pattern

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, bias: Bias | None, **options: Any) -> Tensor:
        """As `tfx_core.nn.AttentionKernel` does."""
        if query.shape[2] <= key.shape[2]:
            scores = Scores(query.shape[2], key.shape[2], query.dtype, query.device)
            bias = together((bias, Allowed(self.pattern.allowed(scores))))
        return eager(query, key, value, bias, **options)


class Counting(nn.Module):
    """A kernel with a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.calls = 0

    def forward(self, *args: Any, **keywords: Any) -> Tensor:
        """As `tfx_core.nn.eager`."""
        self.calls += 1
        return eager(*args, **keywords)


class PatternChecks(CaseChecks):
    """What ``attention=`` bounds."""

    @each(name=patterns)
    def test_a_pattern_by_its_name_is_its_value_and_a_mask(self, name: str) -> None:
        """``attention="window(1)"`` gives what the value gives, and what a dense mask of the same tokens gives.

        Where it does not: an attention of the model calls a kernel of its own, not the one of its call.
        """
        model = tiny_model(self.case, "backbone")
        ids = random_ids(self.case, 2, LENGTH)
        named = states(self.case, model, ids, name)
        assert states(self.case, model, ids, PATTERNS[name]).equal(named), f"{name} by value gives something else"
        dense = states(self.case, model, ids, Dense(PATTERNS[name]))
        close(named, dense, f"states with attention={name!r}, beside those with a dense mask")
        full = states(self.case, model, ids, "full")
        assert not torch.allclose(full, named, atol=1e-4), f"attention={name!r} changes nothing"
        model.attention = name
        assert states(self.case, model, ids, None).equal(named), f"model.attention = {name!r} gives something else"

    @each(name=patterns)
    @pytest.mark.parametrize("packed", [True, False])
    def test_padding_does_not_move_what_a_token_sees(self, name: str, packed: bool) -> None:
        """A pattern counts real tokens: a text sees of itself in any batch what it sees alone.

        Where it does not: distances are counted between columns of the batch.
        """
        model = tiny_model(self.case, "backbone")
        real = torch.ones(4, LENGTH + 3, dtype=torch.bool)
        real[0, :3] = real[1, -3:] = real[2, 4:6] = real[2, 9] = False
        real[3, 0] = real[3, -2:] = False
        texts = random_ids(self.case, 4, LENGTH)
        ids = random_ids(self.case, 4, LENGTH + 3, seed=1).masked_scatter(real, texts)
        expected = [states(self.case, model, text[None], name)[0] for text in texts]
        model.packed = packed
        for rows in ([0], [1], [0, 1, 3], [0, 1, 2, 3]):
            got = states(self.case, model, ids[rows], name, attention_mask=real[rows].long())
            for row, found in zip(rows, got, strict=True):
                found = found[real[row]] if len(found) == real.shape[1] else found
                close(found, expected[row], f"states of text {row} of a batch of {rows}, beside it alone, {name}")

    def test_no_pattern_is_passed_over(self) -> None:
        """A pattern bounds attention, or is refused by name; a mechanism that refuses says ``patterns=False``.

        Where it does nothing: no attention of the model calls the kernel of the call.
        """
        model, ids = tiny_model(self.case, "backbone"), random_ids(self.case, 1, LENGTH)
        if self.case.patterns:
            bounded, full = (states(self.case, model, ids, name) for name in ("window(1)", "full"))
            assert not torch.allclose(bounded, full, atol=1e-4), 'attention="window(1)" changes nothing'
            return
        with refused("attention=Window: this model's attention takes no pattern", "a pattern"):
            states(self.case, model, ids, "window(1)")

    @each(head=takers)
    def test_packed_texts_have_a_window_each(self, head: str) -> None:
        """Of texts in one row, told by positions that begin again, each is bounded as it is alone.

        Where it is not: a bias of the model's own is made for the whole row, and replaces that of the texts.
        """
        model = tiny_model(self.case, head)
        if "position_ids" not in model.input_names or targets(self.case, model, 1):
            return
        parts = random_ids(self.case, 1, LENGTH).split((5, 7), dim=1)
        positions = torch.cat([torch.arange(each.shape[1]) for each in parts])[None] + model.backbone.first_position
        got = states(self.case, model, torch.cat(parts, dim=1), "window(2)", position_ids=positions)
        alone = torch.cat([states(self.case, model, part, "window(2)") for part in parts], dim=1)
        close(got, alone, "states of texts in a row with a window, beside each alone")

    @each(head=takers)
    def test_attentions_are_reported_as_the_pattern_bounds_them(self, head: str) -> None:
        """Weights that a call reports are 0 where the pattern lets a token not see.

        Where they are not: they are computed a second time for the report, without the pattern.
        """
        if not self.case.weights_by_key:
            return
        model, ids = tiny_model(self.case, head), random_ids(self.case, 1, LENGTH)
        with torch.no_grad():
            output = model(ids, attention="window(1, 2)", output_attentions=True, **targets(self.case, model, 1))
        reported = output.attentions if "attentions" in output else output.encoder_attentions
        for layer, weights in enumerate(reported):
            scores = Scores(weights.shape[2], weights.shape[3], weights.dtype, weights.device)
            outside = weights[~Window(1, 2).allowed(scores).expand_as(weights)]
            assert not bool(outside.any()), f"layer {layer} reports weights outside of window(1, 2)"

    @each(writer=bounded_writers)
    def test_what_is_generated_does_not_depend_on_cache_or_padding(self, writer: Writer) -> None:
        """With a window, too, a text is written alike with a cache and without, beside others and alone.

        Where it is not: the window counts columns of the cache, or only those of the newest call.
        """
        model = tiny_model(self.case, writer.head)
        real = torch.ones(2, 9, dtype=torch.long)
        real[0, :4] = 0
        ids = random_ids(self.case, 2, 9)
        for name in ("window(2)", "window(2, 0)"):
            options: dict[str, Any] = {"attention": name, "min_new_tokens": 5, "max_new_tokens": 5, "do_sample": False}
            got = model.generate(ids, attention_mask=real, **options)
            without = model.generate(ids, attention_mask=real, use_cache=False, **options)
            assert without.tolist() == got.tolist(), f"{name}: another text without a cache"
            alone = model.generate(ids[:1, 4:], **options)
            assert alone[0, -5:].tolist() == got[0, -5:].tolist(), f"{name}: another text without its padding"

    def test_a_kernel_that_is_a_module_is_used_and_no_part_of_the_model(self) -> None:
        """``model.attention`` may be a module: every layer calls it, and its parameters are not the model's.

        Where it does not: layers keep the kernel that they were built with, or register it as a child.
        """
        case = self.case
        model, ids = tiny_model(case, "backbone"), random_ids(case, 1, LENGTH)
        names, expected = set(model.state_dict()), states(case, model, ids, "eager")
        kernels: list[Any] = [Counting(), Counting(), eager]
        for kernel in kernels:
            model.attention = kernel
            close(states(case, model, ids, None), expected, f"states with {type(kernel).__name__}, beside eager ones")
            assert model.attention is kernel
            assert set(model.state_dict()) == names, "the kernel's parameters became the model's"
        assert all(each.calls for each in kernels[:2]), "model.attention is not what computes"
        made = tfx_core.new_model(case.model_type, attention=kernels[0], **case.tiny)
        assert made.attention is kernels[0]

    @each(writer=bounded_writers)
    def test_no_kernel_given_is_the_models_own(self, writer: Writer) -> None:
        """``generate(attention=None)`` writes with the model's kernel.

        Where it does not: the decoding state hands ``None`` on to the layers.
        """
        model, ids = tiny_model(self.case, writer.head), random_ids(self.case, 1, 4)
        expected = model.generate(ids, max_new_tokens=2, do_sample=False)
        assert model.generate(ids, attention=None, max_new_tokens=2, do_sample=False).tolist() == expected.tolist()

    @each(head=takers)
    def test_a_model_with_a_pattern_is_copied_and_loaded(self, head: str, tmp_path: Path) -> None:
        """Copies and pickles keep the pattern; `load_model` and `new_model` take it as a name or a value.

        Where they do not: the backbone or a layer keeps the kernel, too, and a copy has the old one.
        """
        case = self.case
        model, ids = tiny_model(case, head), random_ids(case, 1, LENGTH)
        model.attention = "global(1)"
        expected = states(case, model, ids, None)
        for how, again in (("copied", copy.deepcopy(model)), ("pickled", pickle.loads(pickle.dumps(model)))):
            assert states(case, again, ids, None).equal(expected), f"{how}, a model has lost its pattern"
        model.save_pretrained(tmp_path)
        for attention in ("global(1)", FirstTokens(Window(1, 1), 1)):
            loaded = tfx_core.load_model(tmp_path, attention=attention)
            close(states(case, loaded, ids, None), expected, f"states of a model loaded with attention={attention}")
            made = tfx_core.new_model(case.model_type, attention=attention, **case.tiny)
            assert states(case, made, ids, None).shape == expected.shape
