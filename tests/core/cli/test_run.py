"""``tfx-core run``: tasks on texts, files and pipes."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import tfx_core
from tests.core.cli import running
from tests.core.fake_site import FakeSite
from tests.core.tasks import counting
from tests.processes import hear_interrupts, shown_on_a_terminal, with_path
from tfx_core import TaskSpec, hookimpl
from tfx_testing.toy import Plugin, save


@pytest.fixture(autouse=True)
def toy() -> Iterator[None]:
    with tfx_core.register(Plugin(), name="tfx-toy"):
        yield


@pytest.fixture
def model(tmp_path: Path) -> str:
    return save(tmp_path / "model", "sequence-classification", num_labels=3)


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return running.run("run", *arguments, stdin=stdin)


def failed(result: Result, code: int) -> str:
    """The one line on stderr of a run that ended with this code and printed nothing else."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("Error: ").rstrip("\n")


def classified(model: str, texts: list[Any], **options: Any) -> Any:
    return tfx_core.pipeline("text-classification", model=model)(texts, **options)


def test_texts_from_the_command_line(model: str) -> None:
    result = run("text-classification", "--model", model, "bob sings", "a dog")
    assert result.exit_code == 0
    assert result.stderr == ""
    expected = classified(model, ["bob sings", "a dog"])
    assert result.stdout.splitlines() == [f"{each['label']}\t{each['score']:.6g}" for each in expected]


def test_an_alias_is_the_task_it_stands_for(model: str) -> None:
    result = run("sentiment-analysis", "--model", model, "--batch-size", "1", "bob sings", "a dog")
    assert result.stdout == run("text-classification", "--model", model, "bob sings", "a dog").stdout != ""
    said = failed(run("table-question-answering", "--model", model, "bob sings"), 2)
    assert "no architecture here reads tables" in said


def test_json_lines_are_the_results(model: str) -> None:
    result = run("text-classification", "-m", model, "--json", "--top-k", "none", "bob sings", "a dog")
    assert [json.loads(line) for line in result.stdout.splitlines()] == classified(
        model, ["bob sings", "a dog"], top_k=None
    )


@pytest.mark.parametrize("source", ["file", "pipe", "dash", "file dash"])
def test_texts_from_files_and_pipes(source: str, model: str, tmp_path: Path) -> None:
    texts = ["bob sings", "", "a dog", "naïve cafe\u0301 東京"]
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(texts), encoding="utf-8")
    given = {"file": ["--file", str(path)], "pipe": [], "dash": ["-"], "file dash": ["-f", "-"]}[source]
    stdin = None if source == "file" else path.read_bytes()
    result = run("text-classification", "-m", model, "--json", *given, stdin=stdin)
    assert [json.loads(line) for line in result.stdout.splitlines()] == classified(model, texts)
    assert result.stderr == ""


def test_inputs_of_several_parts_from_json_lines(model: str, tmp_path: Path) -> None:
    inputs = [{"text": "bob", "text_pair": "dog"}, "cat", ["a", "b"]]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in inputs))
    result = run("text-classification", "-m", model, "--json", "-f", str(path))
    expected = classified(model, [{"text": "bob", "text_pair": "dog"}, "cat", ("a", "b")])
    assert [json.loads(line) for line in result.stdout.splitlines()] == expected


def test_a_question_with_its_context_from_the_command_line(tmp_path: Path) -> None:
    saved = save(tmp_path / "qa", "question-answering")
    asked = ("question-answering", "-m", saved, "--context", "bob lives in paris .", "--max-answer-len", "2")
    result = run(*asked, "--json", "--no-align-to-words", "who ?")
    answer = json.loads(result.stdout)
    assert answer["answer"] == "bob lives in paris ."[answer["start"] : answer["end"]]


def test_several_results_of_an_input_carry_its_number(tmp_path: Path) -> None:
    saved = save(tmp_path / "lm", "masked-lm")
    result = run("fill-mask", "-m", saved, "--top-k", "2", "--targets", "dog", "--targets", "cat", "a [MASK]", "[MASK]")
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert [line[0] for line in lines] == ["1", "1", "2", "2"]
    assert {line[3] for line in lines} == {"dog", "cat"}


def test_labels_from_the_command_line_and_with_their_text(tmp_path: Path) -> None:
    classes = {0: "contradiction", 1: "neutral", 2: "entailment"}
    saved = save(tmp_path / "nli", "sequence-classification", id2label=classes)
    expected = tfx_core.pipeline("zero-shot-classification", saved)(["bob", "dog"], "a cat, good", multi_label=True)
    asked = ("zero-shot-classification", "-m", saved, "--candidate-labels", "a cat,good", "--multi-label")
    lines = [line.split("\t") for line in run(*asked, "bob", "dog").stdout.splitlines()]
    assert [line[:2] for line in lines] == [[str(at), label] for at in (1, 2) for label in expected[at - 1]["labels"]]
    twice = run(*asked[:3], "--candidate-labels", "a cat", "--candidate-labels", "good", "--multi-label", "bob", "dog")
    assert [line.split("\t") for line in twice.stdout.splitlines()] == lines
    rows = [{"text": "bob", "candidate_labels": ["a cat", "good"]}, {"text": "dog"}]
    result = run(*asked, "--json", stdin="".join(json.dumps(each) + "\n" for each in rows))
    assert [json.loads(line) for line in result.stdout.splitlines()] == expected
    result = run("zero-shot-classification", "-m", saved, "--json", stdin='{"text": "bob"}\n')
    assert "a text alone needs the option --candidate-labels" in result.stderr
    assert "--candidate-labels" in run("zero-shot-classification", "--help").stdout


def test_texts_are_compared_from_the_command_line_and_in_json_lines(tmp_path: Path) -> None:
    saved = save(tmp_path / "bare", "backbone")
    compare = tfx_core.pipeline("sentence-similarity", saved, pooling="cls")
    asked = ("sentence-similarity", "-m", saved, "--pooling", "cls")
    alone = run(*asked, "--source-sentence", "bob", "a dog", "a cat")
    assert alone.stdout.split() == [f"{each:.6g}" for each in compare([("bob", "a dog"), ("bob", "a cat")])]
    rows = [{"source_sentence": "bob", "sentences": ["a dog", "a cat"]}, ["bob", "a dog"], [["bob"], ["a", "of"]]]
    result = run(*asked, "--json", stdin="".join(json.dumps(each) + "\n" for each in rows))
    one, pair, matrix = (json.loads(line) for line in result.stdout.splitlines())
    assert (one, pair) == (compare(rows[0]), compare(("bob", "a dog")))
    assert matrix == compare((["bob"], ["a", "of"])).tolist()
    lines = run(*asked, stdin="".join(json.dumps(each) + "\n" for each in rows)).stdout.splitlines()
    assert [line.split("\t")[0] for line in lines[:2]] == ["1", "1"]


def test_vectors_are_lines_of_numbers(tmp_path: Path) -> None:
    saved = save(tmp_path / "bare", "backbone")
    pooled = run("feature-extraction", "-m", saved, "--pooling", "mean", "bob", "dog")
    assert [len(line.split("\t")) for line in pooled.stdout.splitlines()] == [8, 8]
    states = run("feature-extraction", "-m", saved, "--json", "bob")
    assert [len(vector) for vector in json.loads(states.stdout)] == [8, 8, 8]


# what goes wrong


def test_an_unknown_task_is_wrong_usage(model: str) -> None:
    said = failed(run("text-clasification", "-m", model, "x"), 2)
    assert "no task 'text-clasification' is installed; did you mean 'text-classification'?" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x"], "Missing option '--model' / '-m'"),
        (["-m", "m", "--top-k", "0", "x"], "Invalid value for '--top-k'"),
        (["-m", "m", "--top-k", "many", "x"], "Invalid value for '--top-k'"),
        (["-m", "m", "--function-to-apply", "max", "x"], "'max' is not one of 'softmax', 'sigmoid', 'none'"),
        (["-m", "m", "--top-n", "3", "x"], "No such option"),
        (["-m", "m", "--file", "/nowhere", "x"], "'/nowhere' does not exist"),
        (["-m", "m", "--read-as", "jsonl", "x"], "--read-as jsonl is for files and pipes"),
        (["-m", "m", "--json", "--raw", "x"], "--json and --raw contradict each other"),
        (["-m", "m", "--json", "--header", "x"], "--json and --header contradict each other"),
        (["-m", "m", "-o", "absent/results.txt", "x"], "the folder 'absent' does not exist; make it first"),
        (["-m", "m", "-o", "", "x"], "an empty name; say where it goes"),
        (["-m", "m", "--task", "fill-mask", "x"], "the task is the first word: tfx-core run TASK"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(arguments: list[str], said: str) -> None:
    assert said in failed(run("text-classification", *arguments), 2)


def test_a_folder_without_a_model_is_code_1(tmp_path: Path) -> None:
    assert str(tmp_path) in failed(run("text-classification", "-m", str(tmp_path), "x"), 1)
    assert "/nowhere" in failed(run("text-classification", "-m", "/nowhere", "x"), 1)
    saved = save(tmp_path / "lm", "masked-lm")
    assert "holds a model with the head 'masked-lm'" in failed(run("text-classification", "-m", saved, "x"), 1)


@pytest.mark.parametrize("lines", [3, 2000])
def test_a_strict_run_ends_at_a_text_that_is_too_long(lines: int, model: str, tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("a dog\n" * lines + "dog " * 50)
    out = tmp_path / "out.txt"
    result = run("text-classification", "-m", model, "-f", str(path), "-o", str(out), "--strict")
    assert failed(result, 1) == (
        f"{path}, line {lines + 1}: 52 tokens, but the model takes at most 32; --truncation cuts the text to fit"
    )
    assert sorted(each.name for each in tmp_path.iterdir()) == ["model", "texts.txt"]
    assert run("text-classification", "-m", model, "-f", str(path), "--truncation").exit_code == 0
    assert "TEXT 2: 52 tokens" in failed(run("text-classification", "-m", model, "a", "dog " * 50), 1)


def test_a_strict_run_names_what_is_not_utf8_before_the_model_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "latin1.txt"
    path.write_bytes("a\ncafé\n".encode("latin-1"))
    said = failed(run("text-classification", "-m", "/nowhere", "--strict", "-f", str(path)), 1)
    assert said.startswith(f"{path}, line 2: byte 5 (0xe9) is not UTF-8")


def test_an_empty_file_has_no_results(model: str, tmp_path: Path) -> None:
    path = tmp_path / "empty.txt"
    path.touch()
    result = run("text-classification", "-m", model, "-f", str(path))
    assert (result.exit_code, result.output) == (0, "")


def test_a_warning_is_one_line_beside_the_results(tmp_path: Path) -> None:
    result = run("fill-mask", "-m", save(tmp_path / "lm", "masked-lm"), "--targets", "dogs", "a [MASK]")
    assert result.exit_code == 0
    assert result.stdout.split("\t")[3] == "dog"
    assert result.stderr == "Warning: target 'dogs' is 2 tokens; scoring the first, 'dog'\n"


# output files


def test_an_output_file_appears_whole(model: str, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("old")
    result = run("text-classification", "-m", model, "--json", "-o", str(out), "bob sings", "東京")
    assert (result.exit_code, result.output) == (0, "")
    assert [json.loads(line) for line in out.read_text("utf-8").splitlines()] == classified(
        model, ["bob sings", "東京"]
    )


def test_a_failure_leaves_the_old_output_file(tmp_path: Path) -> None:
    saved = save(tmp_path / "bare", "backbone")
    out = tmp_path / "out.txt"
    out.write_text("old")
    with tfx_core.register(counting.Plugin(), name="counting"):
        said = failed(run("count", "-m", saved, "--fail", "-o", str(out), "bob sings"), 1)
    assert "something broke" in said
    assert out.read_text() == "old"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bare", "out.txt"]


# tasks of third parties


def test_a_third_partys_options_are_on_the_command_line(tmp_path: Path) -> None:
    saved = save(tmp_path / "bare", "backbone")
    with tfx_core.register(counting.Plugin(), name="counting"):
        assert run("count", "-m", saved, "--times", "3", "bob sings").stdout == "15\n"
        shown = run("count", "--help").stdout
        assert "Counts tokens." in shown
        assert " ".join(shown.split()).count("What to multiply the count with. [default: 1] [1<=x<=9]") == 1
        assert "count" in run("--help").stdout
    assert "count" not in run("--help").stdout


class Rival:
    @hookimpl
    def tfx_tasks(self) -> list[TaskSpec]:
        return [TaskSpec("count", target="tests.core.tasks.counting:Counting", summary="another")]


def test_a_name_that_two_distributions_give_is_picked_with_the_distribution(tmp_path: Path) -> None:
    saved = save(tmp_path / "bare", "backbone")
    with tfx_core.register(counting.Plugin(), name="one"), tfx_core.register(Rival(), name="two"):
        assert "two:count" in failed(run("count", "-m", saved, "x"), 1)
        assert run("two:count", "-m", saved, "bob").stdout == "3\n"
        assert "one:count" in run("--help").stdout


def test_an_option_that_would_hide_one_of_the_commands_own_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True, kw_only=True)
    class Greedy(counting.CountingOptions):
        file: str = ""

    monkeypatch.setattr(counting.Counting, "options_type", Greedy)
    with tfx_core.register(counting.Plugin(), name="counting"):
        said = failed(run("count", "--help"), 1)
    assert said == "task 'count': the option 'file' is one of tfx-core run's own; rename it"


# as a process of its own


@pytest.fixture
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment for a process of its own in which the toy architecture and the counting task are installed."""
    site = FakeSite(tmp_path_factory.mktemp("environment") / "site")
    site.install("tfx-toy", "from tfx_testing.toy import Plugin\n\ntfx_architectures = Plugin().tfx_architectures\n")
    site.install("counting", "from tests.core.tasks.counting import Plugin\n\ntfx_tasks = Plugin().tfx_tasks\n")
    return with_path(site.root, Path(__file__).parents[3])


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tfx_core", "run", *arguments]


def test_help_and_wrong_usage_import_no_torch() -> None:
    program = """
import sys
from tfx_core.cli import cli
for arguments in (["run", "--help"], ["run", "fill-mask", "--help"], ["run", "question-answering", "x"]):
    try:
        cli(arguments, standalone_mode=False)
    except Exception:
        pass
    loaded = {"torch", "tokenizers"} & set(sys.modules)
    assert not loaded, (arguments, loaded)
"""
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def test_ctrl_c_ends_quietly_with_130_and_leaves_no_file(installed: dict[str, str], tmp_path: Path) -> None:
    saved = save(tmp_path / "bare", "backbone")
    out = tmp_path / "out.txt"
    process = subprocess.Popen(
        command("count", "-m", saved, "-o", str(out)),
        env=installed,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hear_interrupts,
    )
    assert process.stdin is not None
    process.stdin.write(b"bob sings\n")
    process.stdin.flush()
    deadline = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2:  # the temporary output file: it is waiting for more input
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout, stderr) == (130, b"", b"")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bare"]


def test_a_reader_that_goes_away_ends_it_quietly(installed: dict[str, str], tmp_path: Path) -> None:
    saved = save(tmp_path / "bare", "backbone")
    texts = tmp_path / "texts.txt"
    texts.write_text("bob sings\n" * 30_000)
    process = subprocess.Popen(
        command("count", "-m", saved, "-f", str(texts)), env=installed, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"5\n"
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 141


def test_a_terminal_gets_a_table_and_nothing_left_of_the_bar(installed: dict[str, str], tmp_path: Path) -> None:
    saved = save(tmp_path / "lm", "masked-lm")
    started = command("fill-mask", "-m", saved, "--top-k", "1", "a [MASK]")
    shown = shown_on_a_terminal(started, {**installed, "COLUMNS": "100", "TERM": "xterm"})
    lines = shown.replace("\r\n", "\n").split("\n")
    assert "a [MASK]" in lines[0]
    assert lines[1].split("\x1b")[1].split() == ["[2m", "score", "token", "token_str", "sequence"]
    assert not lines[-1].strip()
