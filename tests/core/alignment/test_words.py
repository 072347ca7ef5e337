"""From tokens to words: pairs in their usual form, and which tokens spell which word."""

from typing import Literal

import pytest
import torch

from tfx_core.alignment import Alignment, AlignmentRule
from tfx_core.alignment.words import aligned, spans_of_ids, spelling
from tfx_core.errors import InputError


def test_pairs_are_written_in_order_and_read_back() -> None:
    alignment = Alignment.of([(2, 0), (0, 1), (10, 1)])
    assert alignment == "0-1 2-0 10-1"
    assert alignment.pairs == [(0, 1), (2, 0), (10, 1)]
    assert (Alignment.of([]), Alignment("").pairs) == ("", [])


def test_a_token_belongs_to_every_word_of_which_it_has_a_character() -> None:
    #        0123456789012
    text = " ab  c\u3000de\nf "
    spans = [(0, 2), (2, 3), (3, 5), (5, 9), None, (8, 9), (9, 9), (11, 12)]
    shares = spelling(text, spans)
    third = 1 / 2
    assert shares.tolist() == [
        [1, 1, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, third, 0, 0, 0, 0],  # blanks belong to the word behind them
        [0, 0, 0, third, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ]
    assert spelling("", [(0, 0)]).shape == (0, 1)
    assert spelling(" \n", [(0, 1)]).shape == (0, 1)


def test_a_word_goes_with_the_one_that_has_most_of_its_mass_or_with_none() -> None:
    mass = torch.tensor([[0.2, 0.3], [0.0, 0.0], [0.4, 0.1]])
    assert aligned(mass) == "0-2 1-0"
    assert aligned(torch.zeros(0, 3)) == aligned(torch.zeros(3, 0)) == ""


PIECES = {1: b"caf", 2: b"\xc3", 3: b"\xa9", 4: b" do", 5: b" n't", 9: b"", 6: b"x"}


def decode(rows: list[list[int]]) -> list[str]:
    """Bytes, an apostrophe beside its word."""
    texts = (b"".join(PIECES[each] for each in row).decode(errors="replace") for row in rows)
    return [text.replace(" n't", "n't") for text in texts]


def test_characters_of_generated_tokens_are_those_that_stay() -> None:
    ids = [1, 2, 3, 9, 4, 5, 6]
    (text,) = decode([ids])
    assert text == "café don'tx"
    spans = spans_of_ids(ids, frozenset({9}), decode)
    assert spans == [(0, 3), (3, 3), (3, 4), None, (4, 7), (7, 10), (10, 11)]
    assert spelling(text, spans).tolist() == [[1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1]]
    assert spans_of_ids([], frozenset(), decode) == []


LAYERS = [torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(layer)) for layer in range(6)]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (AlignmentRule(), LAYERS[2].mean(1)),
        (AlignmentRule(layer=-1, pick="max"), LAYERS[5].amax(1)),
        (AlignmentRule(layer=1, heads=(2, 0)), (LAYERS[1][:, 2] + LAYERS[1][:, 0]) / 2),
    ],
)
def test_a_rule_picks_layer_and_heads(rule: AlignmentRule, expected: torch.Tensor) -> None:
    torch.testing.assert_close(rule.of(LAYERS), expected)


def test_a_token_is_aligned_where_it_is_read_or_one_step_before() -> None:
    read, written = (AlignmentRule(layer=2, step=step).of(LAYERS) for step in ("read", "written"))
    torch.testing.assert_close(written[:, 1:], read)


@pytest.mark.parametrize(("step", "stream"), [("read", 0), ("written", 1)])
def test_of_several_streams_the_first_reads_a_token_and_the_second_writes_it(
    step: Literal["read", "written"], stream: int
) -> None:
    streams = [torch.cat((each, each + 1, each + 2), dim=2) for each in LAYERS]
    rule = AlignmentRule(layer=2, step=step)
    torch.testing.assert_close(rule.of(streams, 3), rule.of(LAYERS) + stream)


@pytest.mark.parametrize(
    ("layers", "step", "layer"),
    [
        *((1, "written", 0), (2, "written", 1), (3, "written", 2), (4, "read", 1), (6, "read", 2), (12, "read", 5)),
        *((2, "read", 0), (6, "written", 4)),
    ],
)
def test_the_layer_is_the_third_of_six_or_the_last_of_few(
    layers: int, step: Literal["read", "written"], layer: int
) -> None:
    numbered = [torch.arange(3.0)[None, None, :, None] + 10 * number for number in range(layers)]
    expected = 10 * layer + (1.0 if step == "read" else 0.0)
    assert AlignmentRule(step=step).of(numbered)[0, 1].item() == expected
    if (layers, step) not in ((2, "read"), (6, "written")):
        assert AlignmentRule().of(numbered)[0, 1].item() == expected


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"layer": 6}, "alignment_layer=6: must be from -6 to 5"),
        ({"layer": -7}, "alignment_layer=-7: must be from -6 to 5"),
        ({"heads": (0, 3)}, "alignment_heads=3: must be from 0 to 2"),
        ({"heads": (-1,)}, "alignment_heads=-1: must be from 0 to 2"),
        ({"pick": "sum"}, "pick='sum'"),
        ({"step": "begin"}, "step='begin'"),
    ],
)
def test_what_there_is_not_is_named(rule: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        AlignmentRule(**rule).of(LAYERS)  # type: ignore[arg-type]
