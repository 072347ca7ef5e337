"""Streaming: whole characters as soon as they are sure, and tokens as the reference library hands them out."""

import threading
from queue import Empty

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.core.generation.texts import Bytes
from tests.core.generation.toys import PAD, Table, new, run, toy_model
from tfx_core.errors import InputError
from tfx_core.generation import Rows, TextIteratorStreamer, TextStreamer, generate

TOKENIZER = Bytes(["the", " top", "日本", "é "])


def pieces_of(ids: list[int], prompt: list[int], **options: bool) -> list[str]:
    pieces: list[str] = []
    streamer = TextStreamer(TOKENIZER, write=pieces.append, **options)
    streamer.put(torch.tensor([prompt]))
    for token in ids:
        streamer.put(torch.tensor([token]))
    streamer.end()
    return pieces


@given(st.text(max_size=20), st.text(max_size=5))
@settings(max_examples=80, deadline=None)
def test_pieces_make_up_the_text_and_never_half_a_character(text: str, prompt: str) -> None:
    ids, begin = TOKENIZER.encode(text), TOKENIZER.encode(prompt)
    assert "".join(pieces_of(ids, begin)) == prompt + text
    pieces = pieces_of(ids, begin, skip_prompt=True)
    assert "".join(pieces) == text
    if "\N{REPLACEMENT CHARACTER}" not in text:
        assert all("\N{REPLACEMENT CHARACTER}" not in piece for piece in pieces)
        # a character is handed out with the token that completes it
        assert pieces == list(text)


@given(st.binary(max_size=12))
@settings(max_examples=80, deadline=None)
def test_broken_bytes_are_handed_out_at_the_end_at_the_latest(data: bytes) -> None:
    ids = TOKENIZER.encode(data)
    assert "".join(pieces_of(ids, [], skip_prompt=True)) == data.decode("utf-8", errors="replace")


def test_special_tokens_may_be_left_out() -> None:
    ids = [*TOKENIZER.encode("the"), 0, *TOKENIZER.encode(" top")]
    assert pieces_of(ids, [], skip_prompt=True) == ["the", "<end>", " top"]
    assert pieces_of(ids, [], skip_prompt=True, skip_special_tokens=True) == ["the", " top"]


class Cleaning(Bytes):
    """A tokenizer whose decoder takes blanks out of what it said before."""

    def decode(self, ids: list[int], **options: bool) -> str:
        text = super().decode(ids, skip_special_tokens=False)
        for mark in (".", ",", "n't"):
            text = text.replace(f" {mark}", mark) if options["clean_up_tokenization_spaces"] else text
        return text


def test_blanks_may_be_cleaned_up() -> None:
    tokenizer, pieces = Cleaning(), []
    text = "I do n't , no ."
    for cleaned, expected in ((False, text), (True, "I don't, no.")):
        pieces.clear()
        streamer = TextStreamer(tokenizer, True, clean_up_tokenization_spaces=cleaned, write=pieces.append)
        streamer.put(torch.tensor([[1]]))
        for token in tokenizer.encode(text):
            streamer.put(torch.tensor([token]))
        before = len("".join(pieces))
        streamer.end()
        assert "".join(pieces) == expected
        assert before >= len(expected) - 4


def test_a_subclass_takes_the_text_as_in_the_reference() -> None:
    taken: list[tuple[str, bool]] = []

    class Own(TextStreamer):
        def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
            taken.append((text, stream_end))

    streamer = Own(TOKENIZER, skip_prompt=True)
    streamer.put(torch.tensor([[1, 2]]))
    for token in TOKENIZER.encode("the", " top"):
        streamer.put(torch.tensor([token]))
    streamer.end()
    assert taken == [("the", False), (" top", False), ("", True)]


def test_printing_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    streamer = TextStreamer(TOKENIZER)
    for _ in range(2):  # a streamer can be used again
        streamer.put(torch.tensor([TOKENIZER.encode("the")]))
        streamer.put(torch.tensor(TOKENIZER.encode(" top")))
        streamer.end()
    assert capsys.readouterr().out == "the top\nthe top\n"


def test_iterating_in_another_thread() -> None:
    streamer = TextIteratorStreamer(TOKENIZER, skip_prompt=True, timeout=10)

    def generate() -> None:
        streamer.put(torch.tensor([[1, 2]]))
        for token in TOKENIZER.encode("日本", "é ", "x"):
            streamer.put(torch.tensor([token]))
        streamer.end()

    thread = threading.Thread(target=generate)
    thread.start()
    assert list(streamer) == ["日本", "é ", "x"]
    thread.join()


@pytest.mark.parametrize("when", [0, 1, 3])
@pytest.mark.parametrize(
    "options", [{}, {"do_sample": True, "seed": 1}, {"prompt_lookup_num_tokens": 2}, {"penalty_alpha": 0.6, "top_k": 3}]
)
def test_who_iterates_gets_the_error_of_a_generation(when: int, options: dict[str, object]) -> None:
    tokenizer = Bytes()

    def fail(scores: Tensor, rows: Rows) -> Tensor:
        if int(rows.new_lengths.max()) == when:
            raise ZeroDivisionError("as asked")
        return scores

    table, text = Table(size=tokenizer.size), tokenizer.encode("ab")
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, timeout=10)
    whole: dict[str, object] = {"max_new_tokens": 6, "eos_token_id": None, **options}

    def write(*processors: object) -> None:
        run(table, [text], arguments={"streamer": streamer, "logits_processor": processors}, **whole)

    with pytest.raises(ZeroDivisionError):
        write(fail)
    with pytest.raises(ZeroDivisionError, match="as asked"):
        list(streamer)
    write()
    fresh = "".join(streamer)
    # once more after an error that nobody read, and half an iteration
    with pytest.raises(ZeroDivisionError):
        write(fail)
    write()
    assert next(iter(streamer))
    write()
    assert "".join(streamer) == fresh


def test_who_iterates_gets_an_error_that_comes_before_the_prompt() -> None:
    streamer = TextIteratorStreamer(TOKENIZER, timeout=10)
    for arguments, error in (({"num_beams": 2}, InputError), ({"no_option": 2}, TypeError), ({"top_p": 7}, InputError)):
        with pytest.raises(error):
            generate(toy_model(), torch.tensor([[3, 4]]), streamer=streamer, **arguments)
        with pytest.raises(error):
            list(streamer)


def test_a_streamer_without_abort_is_told_that_it_ends() -> None:
    streamer = Noting()
    with pytest.raises(InputError, match="every token is banned"):
        run(Table(), [[3, 4]], suppress_tokens=list(range(9)), arguments={"streamer": streamer})
    assert streamer.ended == 1


def test_what_was_printed_of_a_generation_that_failed_is_not_continued(capsys: pytest.CaptureFixture[str]) -> None:
    streamer = TextStreamer(TOKENIZER, skip_prompt=True)
    streamer.put(torch.tensor([TOKENIZER.encode("the")]))
    streamer.put(torch.tensor(TOKENIZER.encode(" top")))
    streamer.abort(ValueError())
    streamer.put(torch.tensor([TOKENIZER.encode("the")]))
    streamer.put(torch.tensor(TOKENIZER.encode("日本")))
    streamer.end()
    assert capsys.readouterr().out == " top日本\n"


def test_iterating_gives_up_after_the_timeout() -> None:
    with pytest.raises(Empty):
        next(iter(TextIteratorStreamer(TOKENIZER, timeout=0.01)))


class Noting:
    def __init__(self) -> None:
        self.values: list[Tensor] = []
        self.ended = 0

    def put(self, value: Tensor) -> None:
        assert not self.ended
        self.values.append(value)

    def end(self) -> None:
        self.ended += 1


@pytest.mark.parametrize("options", [{}, {"do_sample": True, "seed": 1}, {"penalty_alpha": 0.6, "top_k": 3}])
def test_tokens_of_all_rows(options: dict[str, object]) -> None:
    streamer, texts = Noting(), [[3, 4], [5], [6, 6, 6]]
    output = run(Table(seed=3), texts, max_new_tokens=9, arguments={"streamer": streamer}, **options)
    assert streamer.ended == 1
    assert torch.equal(streamer.values[0], output.sequences[:, :3])
    assert torch.equal(torch.stack(streamer.values[1:], dim=1), output.sequences[:, 3:])


def test_finished_rows_stream_padding() -> None:
    streamer, texts = Noting(), [[3, 4], [5], [6, 7, 8, 2], [4, 4, 4]]
    output = run(Table(seed=1), texts, max_new_tokens=9, arguments={"streamer": streamer})
    lengths = [len(text) for text in new(output, texts)]
    assert min(lengths) < max(lengths)
    assert int(streamer.values[min(lengths) + 1][lengths.index(min(lengths))]) == PAD


def test_prompt_lookup_streams_blocks() -> None:
    streamer, texts = Noting(), [[3, 4, 3, 4, 3]]
    output = run(
        Table(seed=4, sharpness=3.0), texts, max_new_tokens=12, prompt_lookup_num_tokens=3, eos_token_id=None,
        arguments={"streamer": streamer},
    )  # fmt: skip
    assert torch.equal(torch.cat(streamer.values, dim=1), output.sequences)
    with pytest.raises(InputError, match="one text at a time"):
        run(Table(), [[3], [4]], prompt_lookup_num_tokens=3, arguments={"streamer": Noting()})


def test_a_text_streamer_follows_one_text() -> None:
    with pytest.raises(InputError, match="this call generates 2"):
        run(Table(), [[3], [4]], arguments={"streamer": TextStreamer(TOKENIZER)})
