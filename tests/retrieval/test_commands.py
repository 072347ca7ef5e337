"""``tfx-core index build`` and ``search``, as a user types them."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from tests.processes import shown_on_a_terminal
from tfx_core.cli import cli
from tfx_core.model import Model
from tfx_retrieval.manifest import MANIFEST

FACTS = [
    {"text": "the cat sat on the mat", "topic": "animals", "id": "cat"},
    {"text": "a boat sails on the sea", "topic": "travel", "id": "boat"},
    {"text": "bread is baked in the oven", "topic": "food", "id": "bread"},
]


def run(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], input=stdin, prog_name="tfx-core")


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    path = tmp_path / "facts.jsonl"
    path.write_text("\n".join(map(json.dumps, FACTS)))
    return path


@pytest.fixture
def build(tmp_path: Path, facts: Path, tiny_bert: Path) -> list[object]:
    """The command that builds an index of the facts."""
    return ["index", "build", "--model", tiny_bert, "--source", facts, "--output", tmp_path / "index"]


@pytest.fixture
def folder(tmp_path: Path, build: list[object]) -> Path:
    built = run(*build)
    assert built.output == f"{tmp_path / 'index'}: built, 3 passages\n", built.output
    return tmp_path / "index"


def written(folder: Path) -> int:
    return (folder / MANIFEST).stat().st_mtime_ns


def test_search_finds_what_is_asked_with_the_indexs_own_model(folder: Path) -> None:
    found = run("index", "search", folder, "food: bread is baked in the oven", "travel: a boat", "--json", "-k", 2)
    lines = [json.loads(line) for line in found.output.splitlines()]
    assert [line["question"] for line in lines] == ["food: bread is baked in the oven", "travel: a boat"]
    assert [hit["rank"] for hit in lines[0]["hits"]] == [1, 2]
    best = lines[0]["hits"][0]
    assert (best["topic"], best["id"], best["passage"]) == ("food", "bread", FACTS[2]["text"])


def test_results_in_a_pipe_are_lines_with_tabs(folder: Path) -> None:
    found = run("index", "search", folder, "the cat", "--top-k", 1)
    question, rank, score, topic, passage = found.output.rstrip("\n").split("\t")
    assert (question, rank) == ("the cat", "1")
    assert 0 < float(score) <= 1
    assert {"topic": topic, "text": passage} in [{key: fact[key] for key in ("topic", "text")} for fact in FACTS]


def test_a_table_on_request(folder: Path) -> None:
    found = run("index", "search", folder, "the cat", "a boat", "--table", "-k", 1)
    assert [line.split()[0] if line else "" for line in found.output.splitlines()] == [
        "the", "rank", "1", "", "a", "rank", "1",
    ]  # fmt: skip


def test_questions_from_a_file_and_from_a_pipe(folder: Path, tmp_path: Path) -> None:
    questions = tmp_path / "questions.txt"
    questions.write_bytes("\ufeffthe cat\r\n\r\na boat\r\n".encode())
    expected = run("index", "search", folder, "the cat", "a boat").output
    assert run("index", "search", folder, "--file", questions).output == expected
    assert run("index", "search", folder, stdin=b"the cat\na boat\n").output == expected
    assert run("index", "search", folder, "--file", "-", stdin=b"the cat\na boat").output == expected
    refused = run("index", "search", folder, stdin=b"caf\xe9\n")
    assert "standard input: byte 3 (0xe9) is not UTF-8" in refused.output


def test_a_second_build_reuses_the_index(folder: Path, build: list[object]) -> None:
    before = written(folder)
    again = run(*build)
    assert again.output == f"{folder}: up to date, 3 passages\n"
    assert written(folder) == before
    assert run(*build, "--force").output == f"{folder}: built, 3 passages\n"
    assert written(folder) != before


def test_whatever_changes_builds_again(
    folder: Path, build: list[object], facts: Path, other_bert: Path, tmp_path: Path
) -> None:
    def rebuilt(*arguments: object) -> bool:
        before = written(folder)
        ended = run(*arguments)
        assert ended.exit_code == 0, ended.output
        return written(folder) != before

    assert rebuilt(*build, "--no-topic-prefix")
    assert rebuilt(*build)
    assert rebuilt(*build, "--passage-words", 4)
    assert rebuilt(*build)
    assert rebuilt("index", "build", "-m", other_bert, "-s", facts, "-o", folder)
    assert rebuilt(*build)
    (folder / "vectors.npy").write_bytes((folder / "vectors.npy").read_bytes()[:-4])
    assert rebuilt(*build)
    facts.write_text(facts.read_text().replace("animals", "pets"))
    assert rebuilt(*build)
    assert not rebuilt(*build)


def test_other_weights_under_the_same_name_build_again(
    build: list[object], folder: Path, tiny_bert: Path, other_bert: Path, tmp_path: Path, facts: Path
) -> None:
    model = tmp_path / "model"
    model.symlink_to(tiny_bert)
    command = ["index", "build", "-m", model, "-s", facts, "-o", tmp_path / "linked"]
    assert "built" in run(*command).output
    assert "up to date" in run(*command).output
    model.unlink()
    model.symlink_to(other_bert)
    refused = run("index", "search", tmp_path / "linked", "the cat")
    assert refused.exit_code == 1
    assert f"made with the model {model}, and the model {model} puts the same texts elsewhere" in refused.output
    assert "built" in run(*command).output


def test_an_index_of_another_model_is_refused_by_name(folder: Path, tiny_bert: Path, other_bert: Path) -> None:
    refused = run("index", "search", folder, "the cat", "--model", other_bert)
    assert refused.exit_code == 1
    assert (
        f"made with the model {tiny_bert}, and the model {other_bert} puts the same texts elsewhere" in refused.output
    )
    assert len(refused.output.splitlines()) == 1


def test_passages_that_the_model_must_cut_are_counted(tmp_path: Path, build: list[object], facts: Path) -> None:
    facts.write_text(json.dumps({"text": "the cat " * 20}) + "\n" + json.dumps({"text": "short"}))
    assert "1 passages were cut to the 16 tokens that the model reads" in run(*build).output


def test_what_is_passed_over_is_told(tmp_path: Path, tiny_bert: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# Cats\nthe cat sat")
    (tmp_path / "docs" / "code.py").write_text("x")
    built = run("index", "build", "-m", tiny_bert, "-s", tmp_path / "docs", "-o", tmp_path / "i")
    assert "passed over 1 files of other kinds (.py)" in built.output


@pytest.fixture
def mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one good file, and four that cannot be read."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "good.md").write_text("# Cats\nthe cat sat")
    (docs / "latin.txt").write_bytes(b"caf\xe9")
    (docs / "bytes.txt").write_bytes(b"MZ\0\0")
    (docs / "lines.jsonl").write_text('{"text": "fine"}\n{"txt": "not"}\n')
    (docs / "big.txt").write_text("a " * 500)
    monkeypatch.setattr("tfx_retrieval.sources.LARGEST", 900)
    return docs


def test_files_of_a_folder_that_cannot_be_read_are_told_at_the_end(
    tmp_path: Path, tiny_bert: Path, mixed: Path
) -> None:
    command = ["index", "build", "-m", tiny_bert, "-s", mixed, "-o", tmp_path / "i"]
    built = run(*command)
    assert built.exit_code == 0
    assert built.stdout == f"{tmp_path / 'i'}: built, 1 passages\n"
    assert [line.split(";")[0] for line in built.stderr.splitlines()] == [
        "passed over 4 files that cannot be read:",
        f"  {mixed}/big.txt: too large (0 MB, at most 0)",
        f"  {mixed}/bytes.txt: binary, not text",
        f"  {mixed}/latin.txt: not UTF-8 (byte 0xe9 at position 3)",
        f"  {mixed}/lines.jsonl: line 2: 'text' is missing",
    ]
    again = run(*command, "--json")
    done = json.loads(again.stdout)
    assert (done["built"], done["passages"], done["cut"]) == (False, 1, 0)
    assert [Path(each["file"]).name for each in done["unread"]] == ["big.txt", "bytes.txt", "latin.txt", "lines.jsonl"]
    assert done["unread"][1]["reason"] == "binary, not text"


def test_strict_stops_at_such_a_file_and_exclude_passes_over_it(tmp_path: Path, tiny_bert: Path, mixed: Path) -> None:
    command = ["index", "build", "-m", tiny_bert, "-s", mixed, "-o", tmp_path / "i"]
    stopped = run(*command, "--strict")
    assert (stopped.exit_code, stopped.stdout) == (1, "")
    assert stopped.stderr.startswith(f"Error: {mixed}/latin.txt: not UTF-8")
    assert not (tmp_path / "i").exists()
    passing = run(*command, "--strict", *("--exclude", "l*", "--exclude", "b[iy]*.txt"))
    assert (passing.exit_code, passing.stderr) == (0, "")
    nothing = run(*command, "--exclude", "good.md")
    assert nothing.exit_code == 1
    assert nothing.stderr.startswith("passed over 4 files that cannot be read:\n")
    assert nothing.stderr.endswith(f"Error: {mixed}: no text in it\n")
    named = run("index", "build", "-m", tiny_bert, "-s", mixed / "latin.txt", "-o", tmp_path / "j")
    assert (named.exit_code, "latin.txt: not UTF-8" in named.stderr) == (1, True)


@pytest.mark.parametrize(
    "options",
    [
        ("--json", "--table"), ("--json", "--tsv"), ("--table", "--tsv"), ("--json", "--header"),
        ("--table", "--header"), ("--json", "--lines", "2"), ("--tsv", "--lines", "2"), ("--lines", "2", "--header"),
    ],
)  # fmt: skip
def test_options_that_contradict_each_other_are_wrong_usage(folder: Path, options: tuple[str, ...]) -> None:
    refused = run("index", "search", folder, "the cat", *options)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "contradict each other; give one of them" in refused.stderr


def test_a_header_names_the_values_of_lines_with_tabs(folder: Path) -> None:
    lines = run("index", "search", folder, "the cat", "a boat", "-k", 1, "--header").stdout.splitlines()
    assert lines[0].split("\t") == ["question", "rank", "score", "topic", "passage"]
    assert len(lines) == 3


def test_a_table_keeps_to_sixty_columns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    lines = run("index", "search", folder, "which of them sat on the mat " * 4, "--table").stdout.splitlines()
    assert max(map(len, lines)) <= 60


def test_a_mistyped_command_is_answered_with_the_nearest() -> None:
    refused = run("index", "serch", "x")
    assert refused.exit_code == 2
    assert refused.stderr.startswith(
        "Error: no command 'serch'; did you mean 'search'? there are: add, build, compact, "
    )


def test_options_are_named_as_they_are_typed(build: list[object]) -> None:
    refused = run(*build, "--device", "gpu")
    assert refused.stderr.startswith("Error: --device gpu: on this machine it is one of cpu")
    refused = run(*build, "--dtype", "int8", "--no-frozen")
    assert refused.stderr.startswith("Error: --no-frozen: --dtype int8 is for inference alone; take 'float32'")


@pytest.mark.parametrize("options", [("--frozen",), ("--dtype", "int8")])
def test_passages_and_questions_are_embedded_with_packed_weights(
    build: list[object], tmp_path: Path, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed: list[Model] = []
    freeze = Model.freeze
    monkeypatch.setattr(Model, "freeze", lambda self, kernel: (packed.append(self), freeze(self, kernel)))
    assert run(*build, *options).exit_code == 0
    found = run("index", "search", tmp_path / "index", "food: bread is baked in the oven", "--json", "-k", 1, *options)
    assert json.loads(found.output)["hits"][0]["id"] == "bread"
    assert [each.frozen for each in packed] == [True, True]


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"--output": ""}, 2, "an empty name"),
        ({"--source": "absent"}, 1, "absent: no such file or folder"),
        ({"--source": "empty"}, 1, "empty: no .jsonl, .md, .txt file in it"),
        ({"--source": "blank.txt"}, 1, "blank.txt: no text in it"),
        ({"--source": "latin.txt"}, 1, "latin.txt: not UTF-8 (byte 0xe9 at position 3)"),
        ({"--output": "full"}, 1, "full: holds other files and is not an index"),
        ({"--model": "empty"}, 1, "config.json"),
        ({"--index": "tree"}, 1, "tree"),
        ({"--index-option": "M=3"}, 1, "index option 'M': a flat index has no options"),
        ({"--index-option": "M"}, 2, "give KEY=VALUE, each key once"),
        ({"--passage-words": "-1"}, 2, "--passage-words"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(
    tmp_path: Path,
    build: list[object],
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    (tmp_path / "blank.txt").write_text(" \n")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    before = sorted(tmp_path.rglob("*"))
    arguments = list(build)
    for option, value in change.items():
        if option in arguments:
            arguments[arguments.index(option) + 1] = value
        else:
            arguments += [option, value]
    refused = run(*arguments)
    assert refused.exit_code == code
    assert message in refused.output
    assert len(refused.output.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_mistakes_in_searching(folder: Path, tmp_path: Path) -> None:
    for arguments, code, message in (
        ([folder], 2, "an empty question"),
        ([folder, " "], 2, "an empty question"),
        ([folder, "cat", "--file", __file__], 2, "give either QUESTION or --file, not both"),
        ([tmp_path / "absent", "cat"], 1, "absent: no such folder"),
        ([tmp_path, "cat"], 1, "not a passage index"),
        ([folder, "cat", "-k", 0], 2, "top-k"),
    ):
        refused = run("index", "search", *arguments)
        assert refused.exit_code == code
        assert message in refused.output
        assert len(refused.output.splitlines()) == 1


def test_showing_help_imports_neither_torch_nor_faiss() -> None:
    program = """
import sys
import tfx_retrieval, tfx_retrieval.plugin
from tfx_core.cli import cli
commands = ("add", "build", "compact", "delete", "info", "merge", "replace", "search")
for arguments in ("--help", "plugins", "index --help", *(f"index {name} --help" for name in commands)):
    cli(arguments.split(), standalone_mode=False)
    loaded = {"torch", "faiss", "numpy", "tokenizers"} & set(sys.modules)
    assert not loaded, (arguments, loaded)
"""
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def test_on_a_terminal_there_is_a_bar_and_a_table(tmp_path: Path, tiny_bert: Path) -> None:
    lines = (json.dumps({"text": f"the cat {number}", "topic": "cats"}) for number in range(5_000))
    (tmp_path / "many.jsonl").write_text("\n".join(lines))
    shown = on_a_terminal("index", "build", "-m", tiny_bert, "-s", tmp_path / "many.jsonl", "-o", tmp_path / "index")
    assert "embedding" in shown
    assert "/5000" in shown
    assert shown.rstrip().endswith("built, 5000 passages")
    found = on_a_terminal("index", "search", tmp_path / "index", "the cat", "-k", "1")
    assert [click.unstyle(line).split() for line in found.splitlines() if "rank" in line] == [
        ["rank", "score", "topic", "passage"]
    ]


def on_a_terminal(*arguments: object) -> str:
    """What a terminal shows of a run of the command line."""
    return shown_on_a_terminal([sys.executable, "-m", "tfx_core", *map(str, arguments)], stdin_too=True)


def test_the_provider_of_the_architecture_can_be_chosen(build: list[object], tmp_path: Path) -> None:
    refused = run(*build, "--provider", "nobody")
    assert (refused.exit_code, "nobody" in refused.output) == (1, True)
    assert not (tmp_path / "index").exists()
    assert run(*build, "--provider", "tfx-encoders").exit_code == 0
    search = ["index", "search", tmp_path / "index", "Who?"]
    assert run(*search, "--provider", "tfx-encoders").exit_code == 0
    refused = run(*search, "--provider", "nobody")
    assert (refused.exit_code, "nobody" in refused.output) == (1, True)
