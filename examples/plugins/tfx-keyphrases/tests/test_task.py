"""The task and the command with a model, the kit's toy: it makes something of every text, if nothing of use."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import tfx_core
from tfx_core.cli import cli
from tfx_core.errors import InputError
from tfx_keyphrases.task import Keyphrases
from tfx_testing import toy
from tfx_testing.toys import toys

TEXTS = ["bob lives in new york", "", "ann smith lives in paris, where the good cat sings"]


@pytest.fixture(autouse=True)
def models() -> Iterator[None]:
    with toys():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return toy.save(tmp_path / "model", "masked-lm")


def test_keyphrases_are_phrases_of_their_text_with_their_cosines(folder: str) -> None:
    task = tfx_core.pipeline("keyphrases", model=folder)
    assert isinstance(task, Keyphrases)
    found = task(TEXTS, top_k=3)
    assert [len(each) for each in found] == [3, 0, 3]
    for text, keyphrases in zip(TEXTS, found, strict=True):
        assert all(each["keyphrase"] in text for each in keyphrases)
        assert all(-1 <= each["score"] <= 1 for each in keyphrases)
    (best, *_) = task("bob lives in new york", top_k=1, diversity=0)
    every = task("bob lives in new york", top_k=100, diversity=0)
    assert best["score"] == max(each["score"] for each in every)


def test_a_text_gives_the_same_alone_and_among_others(folder: str) -> None:
    task = tfx_core.pipeline("keyphrases", model=folder, top_k=4)
    for text, keyphrases in zip(TEXTS, task(TEXTS), strict=True):
        alone = task(text)
        assert [each["keyphrase"] for each in alone] == [each["keyphrase"] for each in keyphrases]
        assert [each["score"] for each in alone] == pytest.approx([each["score"] for each in keyphrases], abs=1e-5)


def test_a_text_that_is_too_long_is_refused_or_cut(folder: str) -> None:
    task, long = tfx_core.pipeline("keyphrases", model=folder), "the good cat " * 40
    with pytest.raises(InputError, match=r"inputs\[1\]: .*tokens, but the model takes at most 32"):
        task(["a cat", long])
    assert task([long], truncation=True)[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [({"top_k": 0}, "top_k=0"), ({"diversity": 2}, "diversity=2"), ({"pooling": "sum"}, "pooling='sum'")],
)
def test_an_option_that_is_not_possible_is_refused(options: dict[str, object], said: str, folder: str) -> None:
    with pytest.raises(InputError, match=said):
        tfx_core.pipeline("keyphrases", model=folder, **options)


def test_the_command_lists_what_files_share(folder: str, tmp_path: Path) -> None:
    for name, text in {"a": "the good cat sings", "b": "a good cat in paris", "c": "the Cat"}.items():
        (tmp_path / name).write_text(text)
    command = ["glossary", "--model", folder, "--top-k", "20", *(str(tmp_path / name) for name in "abc")]
    told = CliRunner().invoke(cli, [*command, "--json"])
    assert told.exit_code == 0, told.output
    entries = [json.loads(line) for line in told.stdout.splitlines()]
    assert (entries[0]["keyphrase"].casefold(), entries[0]["files"]) == ("cat", 3)
    assert {each["keyphrase"] for each in entries[1:]} == {"good", "good cat"}
    table = CliRunner().invoke(cli, command).stdout.splitlines()
    assert table[0].split() == ["files", "score", "keyphrase"]
    assert len(table) == 4


def test_a_file_that_is_no_text_is_an_error_in_one_line(folder: str, tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    told = CliRunner().invoke(cli, ["glossary", "--model", folder, str(tmp_path / "bytes")])
    assert told.exit_code == 1
    assert "is not UTF-8" in told.output
