"""A page of attention has everything in it, is small, and lets no text become part of it."""

from importlib.resources import files

import pytest
import torch
from torch import Tensor

from tests.core.attention_pages import addresses, data_of, off_by_at_most_a_level, parsed, shown
from tfx_core.attention import AttentionMap, AttentionMaps, AttentionSide, Label, attention_page
from tfx_core.attention.page import SYMBOLS

WORDS = ("<script>alert(1)</script>", "</script><!--", "&amp;", "\"'`${x}", "@data@", "日本\u202e", "\\u003c", "")


def layer(heads: int, rows: int, columns: int, *, causal: bool = False, seed: int = 0) -> AttentionMap:
    generator = torch.Generator().manual_seed(seed)
    allowed = torch.ones(heads, rows, columns, dtype=torch.bool)
    allowed = allowed.tril() if causal else allowed
    scores = 3 * torch.randn(heads, rows, columns, generator=generator)
    weights = scores.masked_fill(~allowed, -torch.inf).softmax(-1)
    labels = [tuple(Label(f"token{number}") for number in range(count)) for count in (rows, columns)]
    return AttentionMap(weights, allowed, *labels)


def side(name: str, layers: int, heads: int, tokens: int, *, causal: bool = False) -> AttentionSide:
    return AttentionSide(name, tuple(layer(heads, tokens, tokens, causal=causal, seed=seed) for seed in range(layers)))


def maps(*sides: AttentionSide, model: str = "a model") -> AttentionMaps:
    return AttentionMaps(model, "sdpa", sides)


def of_words(allowed: Tensor) -> AttentionMaps:
    labels = tuple(Label(word, word == "") for word in WORDS)
    weights = allowed / allowed.sum(-1, keepdim=True)
    return maps(AttentionSide("encoder", (AttentionMap(weights, allowed, labels, labels),)), model="</title><b>&@data@")


def test_144_heads_of_64_tokens_are_far_below_2_megabytes() -> None:
    page = attention_page(maps(side("encoder", 12, 12, 64)))
    assert len(page.encode()) < 650_000


def test_an_encoder_decoder_of_as_many_on_each_side_is_too() -> None:
    sides = side("encoder", 12, 12, 64), side("decoder", 12, 12, 64, causal=True), side("cross", 12, 12, 64)
    page = attention_page(maps(*sides))
    assert len(page.encode()) < 1_550_000
    assert [each.name for each in shown(page)] == ["encoder", "decoder", "cross"]


def test_what_a_page_shows_is_what_it_was_given() -> None:
    given = maps(side("encoder", 2, 3, 7), side("decoder", 1, 2, 5, causal=True))
    for found, expected in zip(shown(attention_page(given)), given.sides, strict=True):
        for number, one in enumerate(expected.layers):
            assert found.allowed[number].equal(one.allowed)
            assert off_by_at_most_a_level(found.weights[number], one.weights)
            assert (found.weights[number] - one.weights).abs().max() <= 1 / 89


def test_weights_of_zero_and_one_are_exact_and_the_levels_are_as_the_page_says() -> None:
    weights = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
    labels = (Label("a"), Label("b"))
    page = attention_page(maps(AttentionSide("encoder", (AttentionMap(weights, weights >= 0, labels, labels),))))
    assert shown(page)[0].weights[0].equal(weights)
    assert len(SYMBOLS) == len({*SYMBOLS}) == 90
    assert "one of 90 levels of its square root, and is √w ÷ 89 off" in page


def test_what_may_not_attend_is_told_from_what_does_not() -> None:
    allowed = torch.ones(2, len(WORDS), len(WORDS), dtype=torch.bool).tril()
    allowed[1] = True
    found = shown(attention_page(of_words(allowed)))[0]
    assert found.allowed[0].equal(allowed)
    assert not found.weights[0][~allowed].any()


def test_nothing_is_loaded_from_anywhere() -> None:
    page = attention_page(maps(side("encoder", 1, 1, 3)))
    assert addresses(page) == []
    assert "default-src 'none'" in page
    assert {*parsed(page).tags}.isdisjoint({"img", "iframe", "object", "embed", "base", "form", "svg"})


@pytest.mark.parametrize(
    "outside",
    [
        '<script src="//example.org/x.js"></script>',
        '<link rel="stylesheet" href="style.css">',
        "<style>@import 'x'</style>",
        "<style>p { background: url(x.png) }</style>",
        "<p>https://example.org/</p>",
        "<script>fetch('x')</script>",
    ],
)
def test_what_would_be_loaded_is_noticed(outside: str) -> None:
    page = attention_page(maps(side("encoder", 1, 1, 3)))
    assert addresses(page.replace("</main>", f"{outside}</main>"))


def test_no_text_becomes_part_of_the_page() -> None:
    page = attention_page(of_words(torch.ones(1, len(WORDS), len(WORDS), dtype=torch.bool)))
    plain = attention_page(maps(side("encoder", 1, 1, 3)))
    assert parsed(page).tags == parsed(plain).tags
    assert [[*row] for row in shown(page)[0].rows[0]] == [[word, word == ""] for word in WORDS]
    assert data_of(page)["model"] == "</title><b>&@data@"
    assert "<title>Attention of &lt;/title&gt;&lt;b&gt;&amp;@data@</title>" in page
    for data in (text for attributes, text in parsed(page).scripts if attributes.get("id") == "data"):
        assert "<" not in data


def test_the_script_writes_text_as_text() -> None:
    template = files("tfx_core.attention").joinpath("page.html").read_text(encoding="utf-8")
    for dangerous in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert dangerous not in template


def test_json_has_null_where_attention_is_not_allowed() -> None:
    (one,) = maps(side("decoder", 1, 1, 2, causal=True)).to_dict()["sides"]
    (only,) = one["layers"]
    assert only["weights"][0][0] == [1.0, None]
    assert abs(sum(only["weights"][0][1]) - 1) < 1e-5
    assert only["rows"] == only["columns"] == ["token0", "token1"]
