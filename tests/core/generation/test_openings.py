"""Prompts that begin with no control code: a warning, once for a tokenizer, and only where its vocabulary tells."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from tests.core.generation.toys import padded, toy_model
from tfx_core.generation import generate

WORDS = ["pad", "end", "News", "Books", "news", "a", "b", "c", "d"]


@dataclass(eq=False)
class Codes:
    """A tokenizer of whole words."""

    control_codes: Mapping[str, int] = field(default_factory=lambda: {"News": 2, "Books": 3})

    def decode(self, ids: list[int], /, **options: Any) -> str:
        return " ".join(WORDS[number] for number in ids)


def told(tokenizer: Any, *texts: list[int], **options: Any) -> list[str]:
    """What the warnings of a call say."""
    ids, mask = padded(list(texts))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        generate(toy_model(), ids, attention_mask=mask, max_new_tokens=2, tokenizer=tokenizer, **options)
    return [str(each.message) for each in caught]


@pytest.mark.parametrize("options", [{}, {"num_beams": 2}, {"do_sample": True}], ids=str)
def test_a_warning_names_the_word_what_was_meant_and_where_the_codes_are(options: dict[str, Any]) -> None:
    tokenizer = Codes()
    assert told(tokenizer, [2, 5], [3], **options) == []
    (said,) = told(tokenizer, [3, 5, 6], [4, 5], [5], **options)
    assert said == (
        "a prompt begins with 'news', which is no control code; each text that this model learned from began with one: "
        "did you mean 'News'? tokenizer.control_codes has all 2"
    )
    assert told(tokenizer, [5], **options) == []
    (said,) = told(Codes(), [5], **options)
    assert "with 'a', which" in said
    assert "did you mean" not in said


def test_nothing_is_told_where_nothing_is_known() -> None:
    assert told(None, [5]) == []
    assert told(object(), [5]) == []
    assert told(Codes({}), [5]) == []
    assert torch.equal(
        generate(toy_model(), torch.tensor([[2, 5]]), tokenizer=Codes(), max_new_tokens=3),
        generate(toy_model(), torch.tensor([[2, 5]]), max_new_tokens=3),
    )


def test_a_code_that_was_spelled_by_other_tokens_is_told_by_its_first() -> None:
    class Spelled(Codes):
        def decode(self, ids: list[int], /, **options: Any) -> str:
            return "News" if ids == [5, 6] else "N"

    (said,) = told(Spelled(), [5, 6])
    assert "begins with 'N', which is no control code" in said
