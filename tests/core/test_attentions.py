"""What may be given as ``attention=``: kernels and patterns, as values and as text."""

import pytest
import torch
from torch import Tensor

import tfx_core
from tfx_core import AttentionSpec, hookimpl
from tfx_core.errors import InputError, UnknownNameError
from tfx_core.model import attention_of, kernel_of
from tfx_core.nn import (
    Allowed,
    Chunks,
    FirstTokens,
    GlobalTokens,
    Patterned,
    PlacedMask,
    SameText,
    Scores,
    Window,
    eager,
    sdpa,
)


def sees(pattern: object) -> list[list[int]]:
    """Which keys each of seven queries sees."""
    assert isinstance(pattern, PlacedMask)
    allowed = pattern.allowed(Scores(7, 7, torch.float32, torch.device("cpu")))[0, 0]
    return [row.nonzero().flatten().tolist() for row in allowed]


TEXTS: dict[str, PlacedMask] = {
    "window(2)": Window(2, 2),
    "window(2, 0)": Window(2, 0),
    " window( before=2, after=1 ) ": Window(2, 1),
    "window(2, dilation=2)": Window(2, 2, dilation=2),
    "tfx-core:window(1)": Window(1, 1),
    "global(1)": FirstTokens(Window(1, 1), 1),
    "global(1, 0, first=2)": FirstTokens(Window(1, 0), 2),
    "chunks(2)": Chunks(2, 1, 0),
    "chunks(3, before=0, after=1)": Chunks(3, 0, 1),
}


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_a_pattern(text: str) -> None:
    assert sees(attention_of(text)) == sees(TEXTS[text])
    kernel = kernel_of(text)
    assert isinstance(kernel, Patterned)
    assert kernel.kernel is sdpa


def test_text_is_a_kernel() -> None:
    assert [kernel_of(each) for each in ("sdpa", "eager", "full", eager)] == [sdpa, eager, sdpa, eager]


MISTAKES = {
    "windw(3)": "no attention 'windw' is installed; did you mean 'window'?",
    "window": "'window' takes arguments, as in 'window(128)'",
    "window()": "missing a required argument: 'before'; window takes (before, after=None, *, dilation=1), as in",
    "window(-1)": "window: before=-1: must be an integer at least 0",
    "window(0)": "window(0): a token would see only itself",
    "window(2, after=-2)": "window: after=-2: must be an integer at least 0",
    "window(2, x=3)": "got an unexpected keyword argument 'x'; window takes",
    "window(2.5)": "window: before=2.5: must be an integer",
    "window(2, dilation=0)": "window: dilation=0: must be an integer at least 1",
    "window(99999999999999999999)": "Window: before=99999999999999999999: must be from 0 to 1000000000",
    "window(a)": "cannot read the arguments",
    "window(2": "must be a name, or a name with arguments: 'window(128)'",
    "window(**{})": "cannot read the arguments",
    "window(1)(2)": "cannot read the arguments",
    "global(2, first=0)": "global: first=0: must be an integer at least 1",
    "chunks(0)": "chunks: length=0: must be an integer at least 1",
    "chunks(4, before=-1)": "chunks: before=-1: must be an integer at least 0",
    "sdpa(3)": "'sdpa' takes no arguments",
    "": "must be a name",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_told(text: str) -> None:
    with pytest.raises((InputError, UnknownNameError)) as caught:
        kernel_of(text)
    assert MISTAKES[text] in str(caught.value)


def test_what_is_no_pattern_of_texts_is_refused() -> None:
    with pytest.raises(InputError, match="attention=Allowed: patterns are Window, Chunks and FirstTokens"):
        kernel_of(Allowed(torch.ones(1, dtype=torch.bool)))  # type: ignore[arg-type]  # what a user may try
    of_one_call = torch.ones(1, 4, dtype=torch.bool)
    for mask in (GlobalTokens(Window(1, 1), of_one_call), SameText(of_one_call.long())):
        with pytest.raises(InputError, match="patterns are Window, Chunks and FirstTokens"):
            kernel_of(mask)
    with pytest.raises(TypeError, match="is not an attention kernel"):
        kernel_of(3)  # type: ignore[arg-type]


def test_a_pattern_is_not_passed_over() -> None:
    with pytest.raises(InputError, match="attention=Window: this model's attention takes no pattern"):
        kernel_of("window(1)")(*torch.ones(3, 1, 1, 2, 2), None, scale=1.0, dropout=0.0, observer=None)


class Strided(PlacedMask):
    """Each query sees the keys that are multiples of a stride away."""

    def __init__(self, stride: int) -> None:
        if stride < 1:
            raise InputError(f"stride={stride}: must be at least 1")
        self.stride = stride

    def at(self, queries: Tensor, keys: Tensor) -> Tensor:
        return (queries[..., None] - keys[..., None, :]) % self.stride == 0


EVERY_OTHER = Strided(2)


class Plugin:
    @hookimpl
    def tfx_attentions(self) -> list[AttentionSpec]:
        return [
            AttentionSpec("strided", target=f"{__name__}:Strided", example="strided(3)"),
            AttentionSpec("every-other", target=f"{__name__}:EVERY_OTHER"),
        ]


def test_a_plugin_may_provide_a_pattern() -> None:
    with tfx_core.register(Plugin(), name="tfx-strided"):
        assert sees(attention_of("strided(3)"))[4] == [1, 4]
        assert sees(attention_of("every-other"))[4] == [0, 2, 4, 6]
        with pytest.raises(InputError, match=r"attention='strided\(0\)': stride=0: must be at least 1"):
            kernel_of("strided(0)")
        with pytest.raises(InputError, match=r"'strided' takes arguments, as in 'strided\(3\)'"):
            kernel_of("strided")
