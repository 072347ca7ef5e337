"""The demonstration runs from start to end with a real model, and its question set means what it says."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from pydoc_data.topics import topics as reference

import pytest

from examples.python_reference.demo import QUESTIONS
from examples.python_reference.evaluate import Question, read_questions, read_results
from tests.processes import hear_interrupts

DEMO = Path(__file__).parents[2] / "examples" / "python_reference" / "demo.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def first(folder: Path) -> str:
    return run_demo(folder)


def run_demo(folder: Path) -> str:
    ended = subprocess.run([sys.executable, DEMO, folder], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_index_is_built_searched_and_measured(folder: Path, first: str) -> None:
    manifest = json.loads((folder / "python-reference" / "passage-index.json").read_text())
    assert manifest["dimension"] == 384
    assert f"built, {manifest['count']} passages" in first
    assert first.count("rank  score   topic") == 5
    assert "   1   0." in first
    recorded = read_results()
    if manifest["passages"] == recorded.digest:
        assert recorded.summary() in first
        assert "as recorded" in first
    found = re.search(r"(\d+) within the first five", first)
    assert found is not None
    assert int(found[1]) >= 0.85 * len(read_questions())


def test_a_second_run_reuses_the_index(folder: Path, first: str) -> None:
    index = folder / "python-reference"
    before = {path.name: path.stat().st_mtime_ns for path in index.iterdir()}
    second = run_demo(folder)
    assert "up to date" in second
    assert {path.name: path.stat().st_mtime_ns for path in index.iterdir()} == before
    assert second.replace("up to date,", "built,") == first


def test_it_shows_questions_that_the_first_passage_answers() -> None:
    ranks = read_results().ranks
    assert [ranks[question] for question in QUESTIONS] == [1] * len(QUESTIONS)


def test_it_says_where_the_results_are_and_what_to_try_next(folder: Path, first: str) -> None:
    told, searching, building = first.splitlines()[-3:]
    assert told.startswith(f"The index is in {folder / 'python-reference'}, ")
    assert "index build --model" in building
    found = subprocess.run(["bash", "-euc", searching], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[0].split("\t")[1:2] == ["1"]


def test_an_interrupt_is_one_line(tmp_path: Path) -> None:
    started = subprocess.Popen(
        [sys.executable, DEMO, tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=hear_interrupts,
    )  # fmt: skip
    assert started.stdout is not None
    assert started.stdout.readline().startswith("$ tfx-core index build")
    time.sleep(1.0)
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does
    _, stderr = started.communicate(timeout=60)
    assert started.returncode == 130
    assert stderr.split("\n")[1:] == ["Interrupted; the same command goes on with an index that is whole already.", ""]


def test_there_are_enough_questions_of_enough_topics() -> None:
    questions = read_questions()
    assert len({question.question for question in questions}) == len(questions) >= 25
    assert len(frozenset.union(*(question.topics for question in questions))) > 40


@pytest.mark.parametrize("question", read_questions(), ids=lambda question: question.question)
def test_a_topic_answers_a_question_when_and_only_when_it_holds_the_evidence(question: Question) -> None:
    assert question.topics <= reference.keys()
    if sys.version_info[:2] in ((3, 11), (3, 12)):  # the releases that the phrases were taken from
        texts = {topic: " ".join(text.split()) for topic, text in reference.items()}
        held = {topic for topic, text in texts.items() if any(phrase in text for phrase in question.evidence)}
        assert held == question.topics
