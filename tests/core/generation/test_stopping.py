"""Stopping on strings, on time and on conditions of one's own."""

import pytest
import torch

from tests.core.generation.texts import Bytes, Reciting
from tests.core.generation.toys import PAD, Table, found, new, padded, run
from tfx_core.errors import InputError
from tfx_core.generation import GenerationOptions, GenerationOutput, Prompts, Rows, decode
from tfx_core.generation import stopping as stopping_module

TOKENIZER = Bytes(["stop", "opera", " sto", "per", "€u", "top", "日本"])


def recite(prompt: list[int], text: list[int], strings: str | list[str], tokenizer: Bytes = TOKENIZER) -> list[int]:
    """What is generated of a text until a string stops it."""
    options = GenerationOptions(stop_strings=strings, max_new_tokens=len(text), eos_token_id=0)
    state = Reciting(tokenizer.size, [prompt], [text])
    output = decode(state, Prompts.from_padded(torch.tensor([prompt]), None), options, tokenizer=tokenizer)
    return [token for token in output.sequences[0, len(prompt) :].tolist() if token]


A = TOKENIZER.encode("a")


@pytest.mark.parametrize(
    ("pieces", "strings", "kept"),
    [
        (("x", "stop", "y"), ["stop"], 2),
        (("st", "opera", "tion"), ["stop"], 3),  # the string ends within a token, which is kept whole
        (("x", " sto", "per", "y"), ["stop"], 3),
        (("s", "top", "s"), ["stop"], 2),
        (("s", "to", "p", "s"), ["stop"], 4),
        (("x", "y", "z"), ["stop"], 3),
        (("s", "t", "o"), ["stop", "to"], 3),
        (("stop",), "stop", 1),
        (("stop", "stop"), "pst", 2),
        (("caf", "é", "!"), ["é"], 5),  # both bytes of the character, which are the fourth and the fifth token
        (("caf", "é", "!"), ["fé"], 5),
        (("日本", "語", "。"), ["本語"], 4),
        (("a", "€u", "b"), ["€"], 2),
        (("a", "€", "b"), ["€"], 4),
        (("a", "🙂", "b"), ["🙂"], 5),
        (("a", b"\xe2\x82", "b", "c"), ["b"], 4),  # broken bytes before it do not hide a string
        (("a", b"\xc3", b"\xa9b", "c"), ["éb"], 4),
    ],
)
def test_a_text_ends_with_the_token_that_completes_a_string(
    pieces: tuple[str | bytes, ...], strings: str | list[str], kept: int
) -> None:
    text = TOKENIZER.encode(*pieces)
    assert recite(A, text, strings) == text[:kept]


def test_a_string_may_begin_in_the_prompt_but_not_end_there() -> None:
    assert recite(TOKENIZER.encode("x", "s", "t"), TOKENIZER.encode("o", "p", "s"), "stop") == TOKENIZER.encode(
        "o", "p"
    )
    text = TOKENIZER.encode("a", "b")
    assert recite(TOKENIZER.encode("stop"), text, "stop") == text


def test_a_string_that_ends_within_a_character_waits_for_it() -> None:
    """The first bytes of a character are no text yet; what stands before them is."""
    text = TOKENIZER.encode("a", "b", b"\xc3", b"\xa9", "c")
    assert recite(A, text, ["b"]) == text[:2]
    assert recite(A, text, ["bé"]) == text[:4]
    together = Bytes([])
    assert together.decode(together.encode(b"\xc3")) == "\N{REPLACEMENT CHARACTER}"


def test_special_tokens_are_text_too() -> None:
    text = [*TOKENIZER.encode("a"), 0, *TOKENIZER.encode("b")]
    options = GenerationOptions(stop_strings=["<end>"], max_new_tokens=3, pad_token_id=1)
    state = Reciting(TOKENIZER.size, [A], [text])
    output = decode(state, Prompts.from_padded(torch.tensor([A]), None), options, tokenizer=TOKENIZER)
    assert output.sequences[0, 1:].tolist() == text[:2]


def test_rows_stop_for_themselves() -> None:
    texts = [
        TOKENIZER.encode("x", "stop", "y", "z"),
        TOKENIZER.encode("a", "b", "c", "d"),
        TOKENIZER.encode("stop", "a", "b", "c"),
    ]
    prompts = [A, TOKENIZER.encode("long", "er"), A]
    ids, mask = padded(prompts)
    options = GenerationOptions(stop_strings="stop", max_new_tokens=4, pad_token_id=PAD)
    state = Reciting(TOKENIZER.size, prompts, texts)
    output = decode(state, Prompts.from_padded(ids, mask), options, tokenizer=TOKENIZER)
    assert output.sequences[:, ids.shape[1] :].tolist() == [
        [*texts[0][:2], PAD, PAD], texts[1], [texts[2][0], PAD, PAD, PAD],
    ]  # fmt: skip


def test_stop_strings_need_the_tokenizer() -> None:
    with pytest.raises(InputError, match="stop_strings='x': pass tokenizer"):
        run(Table(), [[3]], stop_strings="x")


@pytest.mark.parametrize("options", [{}, {"num_beams": 3}, {"num_beams": 2, "force_words_ids": [[8]]},
                                     {"num_beams": 2, "num_beam_groups": 2, "diversity_penalty": 0.5},
                                     {"penalty_alpha": 0.6, "top_k": 2}, {"prompt_lookup_num_tokens": 2}])  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*lack forced words")
def test_time_ends_all_texts(options: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0] + [100.0 + step for step in range(1, 99)])
    monkeypatch.setattr(stopping_module.time, "monotonic", lambda: next(clock))
    texts = [[3, 4], [5]]
    output = run(Table(seed=1), texts, max_time=3.5, max_new_tokens=40, eos_token_id=None, **options)
    assert 3 <= output.sequences.shape[1] - 2 <= 4 + 2 * ("prompt_lookup_num_tokens" in options)


def test_conditions_see_rows_without_padding() -> None:
    seen = []

    def condition(rows: Rows) -> torch.Tensor:
        seen.extend(rows.tokens(row).tolist() for row in range(len(rows)))
        return rows.new_lengths >= 2

    texts = [[3, 4], [5]]
    output: GenerationOutput = run(
        Table(), texts, max_new_tokens=9, eos_token_id=None, arguments={"stopping_criteria": [condition]}
    )
    tokens = new(output, texts)
    assert all(len(text) == 2 for text in tokens)
    assert seen == [[3, 4, tokens[0][0]], [5, tokens[1][0]], [3, 4, *tokens[0]], [5, *tokens[1]]]


def test_any_of_several_end_tokens_ends_a_text() -> None:
    table = Table(seed=2)
    ends = [1, 4, 6]
    for text in found(table, [[3, 4], [5], [2, 2], [7, 8]], eos_token_id=ends, max_new_tokens=9):
        cut = next((place for place, token in enumerate(text) if token in ends), len(text))
        assert all(token == PAD for token in text[cut + 1 :])
