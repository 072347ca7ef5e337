"""``tfx-core index add``, ``delete``, ``replace``, ``compact``, ``merge``, ``info``, and searching with conditions."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner, Result

from tfx_core.cli import cli
from tfx_retrieval import search, shards
from tfx_retrieval.encoder import BudgetedEncoder
from tfx_retrieval.spool import working_beside

FACTS = [
    {"text": "the cat sat on the mat", "topic": "animals", "id": "cat", "year": 2001, "language": "en"},
    {"text": "a boat sails on the sea", "topic": "travel", "id": "boat", "year": 1999, "language": "de"},
    {"text": "bread is baked in the oven", "topic": "food", "id": "bread", "year": 2010, "language": "en"},
]

Index = Callable[..., Result]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["index", *map(str, arguments)], prog_name="tfx-core")


def lines(path: Path, *facts: object) -> Path:
    path.write_text("\n".join(map(json.dumps, facts)))
    return path


@pytest.fixture
def folder(tmp_path: Path, tiny_bert: Path) -> Path:
    facts = lines(tmp_path / "facts.jsonl", *FACTS)
    built = run("build", "-m", tiny_bert, "-s", facts, "-o", tmp_path / "index")
    assert built.output == f"{tmp_path / 'index'}: built, 3 passages\n", built.output
    return tmp_path / "index"


def ids(folder: Path, *options: object) -> set[str]:
    found = run("search", folder, "the cat", "--json", "-k", 50, *options)
    assert found.exit_code == 0, found.output
    return {hit["id"] for hit in json.loads(found.stdout)["hits"]}


def test_a_search_with_conditions(folder: Path) -> None:
    assert ids(folder, "--where", "language=en") == {"cat", "bread"}
    assert ids(folder, "--where", "language=en", "-w", "language=de") == {"cat", "boat", "bread"}
    assert ids(folder, "--where", "language=en", "--where", "year>=2002") == {"bread"}
    assert ids(folder, "--where", "year<2001") == {"boat"}
    assert ids(folder, "--at-least", 2) == set()
    refused = run("search", folder, "the cat", "--where", "lang=en")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "no passage has a field 'lang'; did you mean 'language'?" in refused.stderr
    assert "its values are of type number" in run("search", folder, "the cat", "--where", "year>=x").stderr


def test_passages_come_go_and_are_replaced(folder: Path, tmp_path: Path) -> None:
    more = lines(tmp_path / "more.jsonl", {"text": "the sea the sea", "id": "sea"})
    assert run("add", folder, "-s", more).stdout == f"{folder}: added 1, 4 passages\n"
    again = run("add", folder, "-s", more)
    assert (again.exit_code, "there is a passage with the id 'sea'; replace it" in again.stderr) == (1, True)
    assert json.loads(run("delete", folder, "cat", "--json").stdout) == {
        "index": str(folder), "deleted": 1, "passages": 3,
    }  # fmt: skip
    assert ids(folder) == {"boat", "bread", "sea"}
    longer = lines(tmp_path / "more.jsonl", {"text": "the sea. a boat.", "id": "sea"})
    assert run("replace", folder, "-s", longer, "--passage-words", 2).stdout.endswith(": replaced 2, 4 passages\n")
    assert ids(folder) == {"boat", "bread", "sea#1", "sea#2"}
    (tmp_path / "ids.txt").write_text("boat\nsea\n")
    assert run("delete", folder, "-f", tmp_path / "ids.txt").stdout == f"{folder}: deleted 3, 1 passages\n"
    assert run("compact", folder).stdout == f"{folder}: compacted away 5, 1 passages\n"
    assert ids(folder) == {"bread"}
    refused = run("delete", folder, "bred")
    assert refused.stderr.endswith(
        "there is no passage with the id 'bred' (the nearest is 'bread'); nothing was changed\n"
    )
    assert run("delete", folder).exit_code == 2


def test_what_an_index_holds(folder: Path) -> None:
    run("delete", folder, "cat")
    told = json.loads(run("info", folder, "--json").stdout)
    assert (told["passages"], told["deleted"], told["segments"]) == (2, 1, [3])
    assert told["fields"] == {"language": ["text"], "year": ["number"]}
    assert "fields: language (text), year (number)" in run("info", folder).stdout.splitlines()
    assert "topic prefix: yes" in run("info", folder).stdout.splitlines()


def test_a_build_in_shards(folder: Path, tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (search, shards):
        monkeypatch.setattr(module, "CHUNK", 1)
    build = ["build", "-m", tiny_bert, "-s", tmp_path / "facts.jsonl"]
    assert run(*build, "-o", folder, "--force").exit_code == 0
    for part in (2, 1):
        shard = [*build, "-o", tmp_path / f"part-{part}", "--shards", f"{part}/2"]
        assert run(*shard).stdout == f"{tmp_path}/part-{part}: built, {part} passages\n"
        assert run(*shard).stdout == f"{tmp_path}/part-{part}: up to date, {part} passages\n"
    parts = [tmp_path / "part-2", tmp_path / "part-1"]
    assert run("merge", *parts, "-o", tmp_path / "merged").stdout == f"{tmp_path}/merged: merged 2, 3 passages\n"
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "merged" / path.name).read_bytes()
    assert "up to date" in run(*build, "-o", tmp_path / "merged").stdout
    for wrong, code, said in (
        (["--shards", "3/2"], 1, "--shards 3/2: give PART/PARTS"),
        (["--shards", "1/9"], 1, "3 passages are 3 chunks of 1; make at most 3 shards"),
        (["--shards", "1/2", "--index", "other"], 2, "a shard keeps its vectors whole"),
    ):
        refused = run(*build, "-o", tmp_path / "new", *wrong)
        assert (refused.exit_code, said in refused.stderr) == (code, True), refused.output
    assert "shards are missing: 2/2" in run("merge", parts[1], "-o", tmp_path / "m").stderr


def test_an_interrupted_build_says_what_is_kept_and_goes_on(
    folder: Path, tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "CHUNK", 1)
    embed, calls = BudgetedEncoder.encode_document, []

    def interrupted(self: BudgetedEncoder, *arguments: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 4:  # the fixed texts are embedded first
            raise KeyboardInterrupt
        return embed(self, *arguments, **options)  # type: ignore[arg-type]

    build = ["build", "-m", tiny_bert, "-s", tmp_path / "facts.jsonl", "-o", tmp_path / "new"]
    with monkeypatch.context() as patch:
        patch.setattr(BudgetedEncoder, "encode_document", interrupted)
        stopped = run(*build)
    assert stopped.exit_code != 0
    assert f"2 embedded passages are kept in {tmp_path}/.new.building; the same command goes on" in stopped.stderr
    built = run(*build)
    assert built.stdout == f"{tmp_path}/new: built, 3 passages\n"
    assert built.stderr == "2 passages are embedded; what is the same goes into the index\n"


def test_a_second_builder_is_refused(folder: Path, tmp_path: Path, tiny_bert: Path) -> None:
    with working_beside(folder):
        for command in (
            ("build", "-m", tiny_bert, "-s", tmp_path / "facts.jsonl", "-o", folder, "--force"),
            ("delete", folder, "cat"),
            ("compact", folder),
        ):
            refused = run(*command)
            assert (refused.exit_code, len(refused.output.splitlines())) == (1, 1)
            assert "is being built or changed by process" in refused.stderr


@pytest.mark.parametrize("command", ["info", "delete", "compact", "search"])
def test_what_needs_no_model_imports_no_torch(command: str, tiny_bert: Path, tmp_path: Path) -> None:
    facts, folder = lines(tmp_path / "facts.jsonl", *FACTS), tmp_path / "index"
    assert run("build", "-m", tiny_bert, "-s", facts, "-o", folder, "--lexical").exit_code == 0
    options = {"delete": ["boat"], "search": ["the cat", "--lexical-only"]}.get(command, [])
    code = """
    import sys
    from tfx_core.cli import cli
    cli(["index", *sys.argv[1:]], "tfx-core", standalone_mode=False)
    assert "torch" not in sys.modules
    """
    arguments = [sys.executable, "-c", dedent(code), command, str(folder), *options]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
