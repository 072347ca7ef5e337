"""Long texts in stretches: whole sentences where they fit, nothing lost, nothing too long."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfx_core.errors import InputError
from tfx_core.tasks.splitting import split


def within(most: int, text: str) -> list[str]:
    return split(text, lambda part: len(part.strip()) <= most)


def test_sentences_stay_whole_and_are_packed() -> None:
    text = 'Ann came. "Who?" Bob left… Well (yes.) He did!\nA new line。次の文。終わり'
    assert [part.strip() for part in within(26, text)] == [
        'Ann came. "Who?" Bob left…',
        "Well (yes.) He did!",
        "A new line。次の文。終わり",
    ]
    assert within(1000, text) == [text]
    assert [part.strip() for part in within(12, "It is 3.5 km. So.")] == ["It is 3.5", "km.", "So."]


@pytest.mark.parametrize("stop", "।॥؟۔։።။។៕")
def test_full_stops_of_other_scripts_end_sentences(stop: str) -> None:
    assert [part.strip() for part in within(8, f"ab cd{stop} ef gh{stop}")] == [f"ab cd{stop}", f"ef gh{stop}"]


@given(st.text(alphabet="ab .!\n日。", max_size=60), st.integers(1, 12))
@settings(max_examples=200, deadline=None)
def test_nothing_is_lost_and_nothing_is_too_long(text: str, most: int) -> None:
    parts = within(most, text)
    assert re.sub(r"\s", "", "".join(parts)) == re.sub(r"\s", "", text)
    assert all(0 < len(part.strip()) <= most for part in parts)


def test_few_stretches_are_tried() -> None:
    tried: list[int] = []

    def fits(part: str) -> bool:
        tried.append(len(part))
        return len(part) <= 100

    parts = split("One two. " * 5000, fits)
    assert len(parts) == -(-5000 // 11)
    assert sum(tried) < 20 * 45_000


def test_what_cannot_fit_is_an_error() -> None:
    with pytest.raises(InputError, match="the character 'a' alone is longer than an input may be"):
        split("ab", lambda part: False)
