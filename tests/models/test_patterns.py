"""Patterns of attention, by value or by name, in every model: as a dense mask, whatever padding there is."""

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tfx_core
from tests.cases import case_of, readers_of_text
from tests.models.labelled import tiny_model
from tests.models.tiny import random_ids, target_ids, tiny_config
from tfx_core.errors import InputError
from tfx_core.model import Model
from tfx_core.nn import Allowed, Bias, Chunks, FirstTokens, Scores, Window, eager, together
from tfx_core.plugins import ArchitectureSpec, registry

LENGTH = 12
PATTERNS = {
    "window(1)": Window(1, 1),
    "window(1, 0)": Window(1, 0),
    "window(1, dilation=2)": Window(1, 1, dilation=2),
    "global(1, first=2)": FirstTokens(Window(1, 1), 2),
    "chunks(3)": Chunks(3, 1, 0),
}
ARCHITECTURES = [spec.name for spec in readers_of_text()]
BOUNDED = [name for name in ARCHITECTURES if case_of(name).patterns]
WRITERS = [
    (name, head)
    for name in BOUNDED
    for head in registry.find(ArchitectureSpec, name).heads
    if head in ("causal-lm", "conditional-generation")
]


@pytest.fixture(params=BOUNDED)
def model(request: pytest.FixtureRequest) -> Model:
    return tiny_model(request.param, "backbone")


def targets(model: Model, rows: int) -> dict[str, Tensor]:
    """What a decoder beside an encoder reads, longer than what the encoder does."""
    model_type = model.config.model_type
    given = target_ids(model_type, model.head_name, rows)
    return {name: random_ids(model_type, 1, LENGTH + 2, seed=1).expand(rows, -1) for name in given}


def states(model: Model, ids: Tensor, attention: Any, **inputs: Any) -> Tensor:
    """Of the last stack."""
    with torch.no_grad():
        output = model(ids, attention=attention, **targets(model, len(ids)), **inputs)
    found: Tensor = output.last_hidden_state
    return found


class Dense:
    """A kernel that knows the pattern as a mask of columns, for attention to no less than the queries' own text."""

    def __init__(self, pattern: Any) -> None:
        self.pattern = pattern

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, bias: Bias | None, **options: Any) -> Tensor:
        if query.shape[2] <= key.shape[2]:
            scores = Scores(query.shape[2], key.shape[2], query.dtype, query.device)
            bias = together((bias, Allowed(self.pattern.allowed(scores))))
        return eager(query, key, value, bias, **options)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default kernel computes short texts in blocks as it does long ones."""
    for name, value in (("NARROWEST", 2), ("WIDEST", 4), ("DEARER", 0)):
        monkeypatch.setattr(f"tfx_core.nn.blocks.{name}", value)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_by_its_name_is_its_value_and_a_mask(model: Model, name: str) -> None:
    ids = random_ids(model.config.model_type, 2, LENGTH)
    named = states(model, ids, name)
    assert states(model, ids, PATTERNS[name]).equal(named)
    torch.testing.assert_close(named, states(model, ids, Dense(PATTERNS[name])), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(states(model, ids, "full"), named, atol=1e-4)
    model.attention = name  # type: ignore[assignment]  # a property that takes more than it gives
    assert states(model, ids, None).equal(named)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("packed", [True, False])
def test_padding_does_not_move_what_a_token_sees(model: Model, name: str, packed: bool) -> None:
    model_type = model.config.model_type
    real = torch.ones(4, LENGTH + 3, dtype=torch.bool)
    real[0, :3] = real[1, -3:] = real[2, 4:6] = real[2, 9] = False
    real[3, 0] = real[3, -2:] = False
    texts = random_ids(model_type, 4, LENGTH)
    ids = random_ids(model_type, 4, LENGTH + 3, seed=1).masked_scatter(real, texts)
    model.packed = packed
    for rows in ([0], [1], [0, 1, 3], [0, 1, 2, 3]):
        got = states(model, ids[rows], name, attention_mask=real[rows].long())
        for each, mask, text in zip(got, real[rows], texts[rows], strict=True):
            expected = states(model, text[None], name)[0]
            each = each[mask] if len(each) == len(mask) else each
            torch.testing.assert_close(each, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_no_pattern_is_passed_over(name: str) -> None:
    model = tiny_model(name, "backbone")
    ids = random_ids(name, 1, LENGTH)
    if case_of(name).patterns:
        assert not torch.allclose(states(model, ids, "window(1)"), states(model, ids, "full"), atol=1e-4)
        return
    with pytest.raises(InputError, match="attention=Window: this model's attention takes no pattern"):
        states(model, ids, "window(1)")


def test_packed_texts_have_a_window_each(model: Model) -> None:
    if "position_ids" not in model.input_names or targets(model, 1):
        return
    parts = random_ids(model.config.model_type, 1, LENGTH).split((5, 7), dim=1)
    positions = torch.cat([torch.arange(each.shape[1]) for each in parts])[None] + model.backbone.first_position
    got = states(model, torch.cat(parts, dim=1), "window(2)", position_ids=positions)
    alone = [states(model, each, "window(2)") for each in parts]
    torch.testing.assert_close(got, torch.cat(alone, dim=1), atol=1e-5, rtol=1e-4)


def test_attentions_are_reported_as_the_pattern_bounds_them(model: Model) -> None:
    if not case_of(model.config.model_type).weights_by_key:
        return
    ids = random_ids(model.config.model_type, 1, LENGTH)
    with torch.no_grad():
        output = model(ids, attention="window(1, 2)", output_attentions=True, **targets(model, 1))
    reported = output.attentions if "attentions" in output else output.encoder_attentions
    for each in reported:
        scores = Scores(each.shape[2], each.shape[3], each.dtype, each.device)
        assert not bool(each[~Window(1, 2).allowed(scores).expand_as(each)].any())


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("model_type", "head"), WRITERS or [(None, None)])
def test_what_is_generated_does_not_depend_on_cache_or_padding(model_type: str | None, head: str) -> None:
    if model_type is None:
        return
    model = tiny_model(model_type, head)
    real = torch.ones(2, 9, dtype=torch.long)
    real[0, :4] = 0
    ids = random_ids(model_type, 2, 9)
    for name in ("window(2)", "window(2, 0)"):
        options: dict[str, Any] = {"attention": name, "min_new_tokens": 5, "max_new_tokens": 5, "do_sample": False}
        got = model.generate(ids, attention_mask=real, **options)
        without = model.generate(ids, attention_mask=real, use_cache=False, **options)
        assert without.equal(got)
        alone = model.generate(ids[:1, 4:], **options)
        assert alone[0, -5:].equal(got[0, -5:])


class Counting(nn.Module):
    """A kernel with a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.calls = 0

    def forward(self, *args: Any, **keywords: Any) -> Tensor:
        self.calls += 1
        return eager(*args, **keywords)


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_a_kernel_that_is_a_module_is_used_and_no_part_of_the_model(model_type: str) -> None:
    model, ids = tiny_model(model_type, "backbone"), random_ids(model_type, 1, LENGTH)
    names, expected = set(model.state_dict()), states(model, ids, "eager")
    kernels: list[Any] = [Counting(), Counting(), eager]
    for kernel in kernels:
        model.attention = kernel
        torch.testing.assert_close(states(model, ids, None), expected)
        assert model.attention is kernel
        assert set(model.state_dict()) == names
    assert all(each.calls for each in kernels[:2])
    assert tfx_core.new_model(model_type, attention=kernels[0], **tiny_config(model_type)).attention is kernels[0]


@pytest.mark.parametrize(("model_type", "head"), WRITERS or [(None, None)])
def test_no_kernel_given_is_the_models_own(model_type: str | None, head: str) -> None:
    if model_type is None:
        return
    model, ids = tiny_model(model_type, head), random_ids(model_type, 1, 4)
    expected = model.generate(ids, max_new_tokens=2, do_sample=False)
    assert model.generate(ids, attention=None, max_new_tokens=2, do_sample=False).equal(expected)


def test_a_model_with_a_pattern_is_copied_and_loaded(model: Model, tmp_path: Path) -> None:
    ids = random_ids(model.config.model_type, 1, LENGTH)
    model.attention = "global(1)"  # type: ignore[assignment]
    expected = states(model, ids, None)
    for each in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert states(each, ids, None).equal(expected)
    model.save_pretrained(tmp_path)
    for attention in ("global(1)", FirstTokens(Window(1, 1), 1)):
        loaded = tfx_core.load_model(tmp_path, attention=attention)
        torch.testing.assert_close(states(loaded, ids, None), expected)
        made = tfx_core.new_model(model.config.model_type, attention=attention, **tiny_config(model.config.model_type))
        assert states(made, ids, None).shape == expected.shape
