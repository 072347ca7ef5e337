"""Tables of likely translations: what is counted, what a file says, and what is said of a bad one."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer as Backend
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

import tfx_core
from tests.core.cli.running import run
from tfx_core.errors import InputError
from tfx_core.generation import LexicalTable, Shortlist
from tfx_core.text import Tokenizer

WORDS = ("the", "house", "garden", "is", "green", "das", "haus", "garten", "ist", "grün")
PAIRS = (("the house", "das haus"), ("the garden", "das garten"), ("the house is green", "das haus ist grün"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    backend = Backend(WordLevel({word: number for number, word in enumerate(("<unk>", *WORDS))}, unk_token="<unk>"))
    backend.pre_tokenizer = Whitespace()
    path = tmp_path_factory.mktemp("words")
    backend.save(str(path / "tokenizer.json"))
    (path / "tokenizer_config.json").write_text('{"unk_token": "<unk>"}', encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def tokenizer(folder: str) -> Tokenizer:
    return tfx_core.load_tokenizer(folder)


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    found: list[int] = tokenizer(text)["input_ids"]
    return found


def counted(tokenizer: Tokenizer) -> LexicalTable:
    return LexicalTable.counted([(ids(tokenizer, source), ids(tokenizer, target)) for source, target in PAIRS])


def test_words_that_occur_together_translate_each_other(tokenizer: Tokenizer) -> None:
    table = counted(tokenizer)
    of_source = {
        tokenizer.vocabulary.token(number): table.sources == number for number in set(table.sources.tolist()) - {-1}
    }
    best = {word: int(table.targets[where][table.probabilities[where].argmax()]) for word, where in of_source.items()}
    assert {word: tokenizer.vocabulary.token(number) for word, number in best.items()} | {"is": "", "green": ""} == {
        "the": "das", "house": "haus", "garden": "garten", "is": "", "green": "",
    }  # fmt: skip
    for where in (*of_source.values(), table.sources == -1):
        assert table.probabilities[where].sum() == pytest.approx(1, abs=1e-3)
    assert tokenizer.vocabulary.token(int(table.targets[table.sources == -1][0])) == "das"


def test_the_same_pairs_in_any_order_give_the_same_numbers(tokenizer: Tokenizer) -> None:
    one = counted(tokenizer)
    pairs = [(ids(tokenizer, source), ids(tokenizer, target)) for source, target in PAIRS]
    other = LexicalTable.counted([*pairs[::-1], ([], [1]), ([1], [])])
    assert torch.equal(one.sources, other.sources)
    torch.testing.assert_close(one.probabilities, other.probabilities)


def test_a_file_is_read_as_it_was_written(tokenizer: Tokenizer, tmp_path: Path) -> None:
    table = counted(tokenizer)
    table.write(tmp_path / "lex", tokenizer)
    again = LexicalTable.read(tmp_path / "lex", tokenizer)
    assert torch.equal(again.sources, table.sources)
    assert torch.equal(again.targets, table.targets)
    torch.testing.assert_close(again.probabilities, table.probabilities, rtol=1e-5, atol=0)
    assert (tmp_path / "lex").read_text("utf-8").startswith("das NULL 0.375\n")


def test_candidates_are_the_frequent_ones_and_the_best_of_each_token(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "lex").write_text(
        "das NULL 0.5\nist NULL 0.4\nhaus NULL 0.1\nhaus house 0.9\ngarten house 0.1\ngarten garden 1\n",
        encoding="utf-8",
    )
    shortlist = Shortlist.read(tmp_path / "lex", tokenizer, first=2, best=1)
    for text, words in (("house", "das ist haus"), ("garden house", "das ist haus garten"), ("is", "das ist")):
        assert shortlist.candidates(ids(tokenizer, text)) == {*ids(tokenizer, words)}


def test_without_their_numbers_the_first_ids_are_the_frequent_ones(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "lex").write_text("haus house 0.9\n", encoding="utf-8")
    assert Shortlist.read(tmp_path / "lex", tokenizer, first=2).candidates([2]) == {0, 1, 7}


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ("haus house\n", "lex, line 1: has 2 fields; must be three: target, source, probability"),
        ("haus house 0.5\n\nhaus house -0.7\n", "lex, line 3: '-0.7' is no probability; must be a number from 0 to 1"),
        ("haus house x\n", "lex, line 1: 'x' is no probability"),
        ("haus house nan\n", "lex, line 1: 'nan' is no probability"),
        ("haus hut 0.5\n", "lex, line 1: 'hut' is no token of the source's vocabulary.*tfx-core shortlist makes"),
        ("hut house 0.5\n", "lex, line 1: 'hut' is no token of the target's vocabulary"),
        ("\n\n", "lex: is empty; tfx-core shortlist makes such a file"),
        (b"haus \xff 0.5\n", "lex: cannot be read as text"),
    ],
)
def test_a_bad_file_is_told_by_its_line(contents: str | bytes, said: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "lex").write_bytes(contents.encode() if isinstance(contents, str) else contents)
    with pytest.raises(InputError, match=said):
        Shortlist.read(tmp_path / "lex", tokenizer)


def test_a_file_that_is_not_there_is_told(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match="no/such/file: cannot be read as text"):
        Shortlist.read("no/such/file", tokenizer)


def test_pairs_without_tokens_are_told() -> None:
    with pytest.raises(InputError, match="pairs: none of them has tokens on both sides"):
        LexicalTable.counted([([], [1])])


def test_the_command_writes_what_is_read(folder: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    for name, side in (("en", 0), ("de", 1)):
        (tmp_path / name).write_text("".join(f"{pair[side]}\n" for pair in PAIRS), encoding="utf-8")
    files = [str(tmp_path / name) for name in ("en", "de")]
    made = run("shortlist", *files, "--model", folder, "--output", str(tmp_path / "lex"))
    assert (made.exit_code, made.output) == (0, "")
    found, expected = LexicalTable.read(tmp_path / "lex", tokenizer), counted(tokenizer)
    assert torch.equal(found.targets, expected.targets)
    (tmp_path / "de").write_text("das haus\n", encoding="utf-8")
    told = run("shortlist", *files, "--model", folder, "--output", str(tmp_path / "lex"))
    assert told.exit_code == 1
    assert "has 3 lines" in told.output
