"""Which phrases a text has, which are chosen, and what the command says of files that it cannot read."""

import numpy as np
import pytest
from click.testing import CliRunner

from tfx_core.cli import cli
from tfx_keyphrases.candidates import STOP_WORDS, candidates
from tfx_keyphrases.task import most_relevant


def phrases(text: str, most_words: int = 2, most: int = 100) -> list[str]:
    return [*candidates(text, most_words=most_words, stop_words=STOP_WORDS, most=most)]


def test_phrases_neither_begin_nor_end_with_stop_words() -> None:
    assert phrases("The cost of living", most_words=3) == ["cost", "cost of living", "living"]


def test_phrases_end_at_punctuation() -> None:
    assert phrases("red wine, white bread") == ["red", "red wine", "wine", "white", "white bread", "bread"]


def test_words_may_have_hyphens_and_apostrophes() -> None:
    assert phrases("a for-loop's end") == ["for-loop's", "for-loop's end", "end"]


def test_a_phrase_is_there_once_whatever_its_case_and_the_commonest_come_first() -> None:
    assert phrases("Bread and wine. WINE! Wine", most_words=1) == ["wine", "Bread"]
    assert phrases("Bread and wine. WINE! Wine", most_words=1, most=1) == ["wine"]


@pytest.mark.parametrize("text", ["", "the of and", "12 345", "...", " \n "])
def test_a_text_may_have_none(text: str) -> None:
    assert phrases(text) == []


LIKENESS = np.array([0.9, 0.89, 0.5], np.float32)
ALIKE = np.array([[1, 0.99, 0.1], [0.99, 1, 0.1], [0.1, 0.1, 1]], np.float32)


@pytest.mark.parametrize(("diversity", "chosen"), [(0.0, [0, 1, 2]), (0.5, [0, 2, 1]), (1.0, [0, 2, 1])])
def test_diversity_prefers_what_is_unlike_what_was_chosen(diversity: float, chosen: list[int]) -> None:
    assert most_relevant(LIKENESS, ALIKE, 3, diversity) == chosen
    assert most_relevant(LIKENESS, ALIKE, 2, diversity) == chosen[:2]
    assert most_relevant(LIKENESS, ALIKE, 10, diversity) == chosen


def test_the_task_and_the_command_have_help_of_their_own() -> None:
    for command, option in ((["run", "keyphrases"], "--max-words"), (["glossary"], "--least")):
        told = CliRunner().invoke(cli, [*command, "--help"])
        assert told.exit_code == 0
        assert option in told.output


def test_a_file_that_is_missing_is_told() -> None:
    told = CliRunner().invoke(cli, ["glossary", "--model", "none", "no-such-file.txt"])
    assert told.exit_code == 2
    assert "no-such-file.txt" in told.output
