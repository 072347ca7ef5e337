"""What is read from files and folders, and what is refused, with the file and the place in the message."""

import errno
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tfx_core.embedding.passage_index import Passage
from tfx_core.errors import InputError
from tfx_retrieval.sources import PYTHON_REFERENCE, Collection, survey

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


def test_text_files_are_named_by_file_and_cut_into_numbered_passages(write: Write) -> None:
    path = write("notes.txt", "\ufeffone two\r\n\r\nthree four\r\n")
    assert list(Collection([path], words=2)) == [
        Passage("one two", "notes", "notes.txt#1"),
        Passage("three four", "notes", "notes.txt#2"),
    ]
    assert list(Collection([path])) == [Passage("one two\n\nthree four", "notes", "notes.txt")]


def test_markdown_topics_are_headings_or_the_file_name(write: Write) -> None:
    path = write("guide.md", "intro\n# Guide\n## Install\nrun it\n")
    assert list(Collection([path])) == [
        Passage("intro", "guide", "guide.md#1"),
        Passage("## Install\nrun it", "Guide > Install", "guide.md#2"),
    ]


def test_json_lines_take_their_own_topic_and_id(write: Write) -> None:
    lines = [
        {"text": "a b", "topic": "first", "id": "x"},
        {"text": "c", "title": "second", "id": 7},
        {"text": "d", "url": "kept", "tags": ["not"], "nothing": None, "metadata": {"year": 2000}},
        {"text": "  "},
    ]
    path = write("facts.jsonl", "\n\n".join(map(json.dumps, lines)))
    assert list(Collection([path], words=1)) == [
        Passage("a", "first", "x#1"),
        Passage("b", "first", "x#2"),
        Passage("c", "second", "7"),
        Passage("d", "facts", "facts.jsonl:5", {"url": "kept", "year": 2000}),
    ]


def test_a_folder_is_searched_in_order_without_hidden_files_other_kinds_and_indexes(
    tmp_path: Path, write: Write
) -> None:
    for name in ("b.txt", "a/z.TXT", "a/b/c.md", ".hidden.txt", ".git/x.txt", "code.py", "index/passages.jsonl"):
        write(name, "words")
    write("index/passage-index.json", "{}")
    collection = Collection([tmp_path])
    assert [passage.id for passage in collection] == ["a/b/c.md", "a/z.TXT", "b.txt"]
    assert [path.name for path in collection.skipped] == ["code.py"]


def test_a_file_name_need_not_be_utf8(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("words")
    (tmp_path / os.fsdecode(b"caf\xe8.txt")).write_text("words")
    assert list(Collection([tmp_path])) == [
        Passage("words", r"caf\xe8", r"caf\xe8.txt"),
        Passage("words", r"caf\xe9", r"caf\xe9.txt"),
    ]


def test_a_python_without_its_reference_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(InputError, match="pydoc:topics: this Python came without its language reference"):
        list(Collection([PYTHON_REFERENCE]))


def test_a_file_that_two_sources_name_is_read_once(tmp_path: Path, write: Write) -> None:
    path = write("a.txt", "words")
    assert len(list(Collection([path, tmp_path, path]))) == 1


def test_files_of_one_name_are_told_apart_by_the_folders_above_them(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("x/a/notes.txt", "y/a/notes.txt", "y/b/notes.txt", "y/b/sub/c.md", "z/c.md", "z/sub/c.md", "one.txt")
    paths = {name: write(name, "words") for name in names}
    folders = [tmp_path / name for name in ("x/a", "y/a", "y/b", "z")]
    expected = ["x/a/notes.txt", "y/a/notes.txt", "b/notes.txt", "b/sub/c.md", "c.md", "z/sub/c.md", "one.txt"]
    assert [passage.id for passage in Collection([*folders, paths["one.txt"]])] == expected
    monkeypatch.chdir(tmp_path / "y")
    assert [passage.id for passage in Collection(["../x/a/notes.txt", "a/notes.txt"])] == expected[:2]
    assert [passage.id for passage in Collection(["a"])] == ["notes.txt"]


def test_a_collection_can_be_read_again_and_its_survey_sees_every_change(write: Write) -> None:
    path = write("facts.jsonl", '{"text": "ab", "topic": "c"}\n')
    collection = Collection([path])
    before = survey(collection)
    assert before == survey(collection)
    assert before.count == 1
    for changed in ('{"text": "a", "topic": "bc"}\n', '{"text": "ab", "topic": "c", "id": "1"}\n'):
        write("facts.jsonl", changed)
        assert survey(collection).digest != before.digest


def test_the_python_reference_has_a_document_for_each_topic() -> None:
    passages = list(Collection([PYTHON_REFERENCE]))
    assert len({passage.topic for passage in passages}) == 79
    assert 600 < len(passages) < 800
    assert passages[0].id == "assert#1"
    assert "debugging assertions" in passages[0].text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"facts\.jsonl, line 2: not JSON"),
        ("[1]", r"facts\.jsonl, line 2: a list, not an object"),
        ('{"title": "x"}', r"facts\.jsonl, line 2: 'text' is missing"),
        ('{"text": 3}', r"facts\.jsonl, line 2: 'text' is 3"),
        ('{"text": "a", "topic": []}', r"facts\.jsonl, line 2: the topic is \[\]"),
        ('{"text": "a", "id": 1.5}', r"facts\.jsonl, line 2: 'id' is 1\.5"),
        ('{"text": "\\ud800"}', r"facts\.jsonl, line 2: 'text' holds half of a surrogate pair"),
        ("[" * 100_000, r"facts\.jsonl, line 2: not JSON"),
        (b'{"text": "\xff"}', r"facts\.jsonl, line 2: not UTF-8 \(byte 0xff at position 10\)"),
    ],
)
def test_a_bad_line_of_json_is_named(write: Write, line: str | bytes, message: str) -> None:
    data = line if isinstance(line, bytes) else line.encode()
    path = write("facts.jsonl", b'{"text": "fine"}\n' + data + b"\n")
    with pytest.raises(InputError, match=message):
        list(Collection([path]))


def test_a_file_that_is_not_utf8_is_named_with_its_line(write: Write) -> None:
    path = write("latin.txt", "one\ntw\xf6\n".encode("latin1"))
    with pytest.raises(InputError, match=r"latin\.txt, line 2: not UTF-8 \(byte 0xf6 at position 6\); convert"):
        list(Collection([path]))


def test_sources_that_cannot_be_used(tmp_path: Path, write: Write) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for sources, message in (
        ([], "no source: name a file"),
        ([empty], r"empty: no \.jsonl, \.md, \.txt file in it"),
        ([tmp_path / "absent"], "absent: no such file or folder"),
        ([write("code.py", "x")], r"code\.py: not one of the files that are read"),
    ):
        with pytest.raises(InputError, match=message):
            Collection(sources)
    with pytest.raises(InputError, match="passage words: -1 is negative"):
        Collection([tmp_path], words=-1)


def test_patterns_exclude_by_name_by_path_and_by_folder(tmp_path: Path, write: Write) -> None:
    for name in ("a.txt", "drafts/a.txt", "drafts/deep/b.txt", "kept/a.txt", "kept/old/c.txt"):
        write(name, "words")
    for patterns, left in (
        ([], ["a.txt", "drafts/a.txt", "drafts/deep/b.txt", "kept/a.txt", "kept/old/c.txt"]),
        (["a.txt"], ["drafts/deep/b.txt", "kept/old/c.txt"]),
        (["drafts/"], ["a.txt", "kept/a.txt", "kept/old/c.txt"]),
        (["kept/*.txt", "d*"], ["a.txt"]),
        (["old", "drafts/deep"], ["a.txt", "drafts/a.txt", "kept/a.txt"]),
    ):
        assert [passage.id for passage in Collection([tmp_path], exclude=patterns)] == left
    with pytest.raises(InputError, match="file in it that no pattern excludes"):
        Collection([tmp_path], exclude=["*"])


def test_what_may_not_be_opened_is_passed_over_where_nobody_named_it(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, _ = write("locked.txt", "words"), write("open.txt", "words")
    opened = Path.open

    def refusing(path: Path, *arguments: Any, **options: Any) -> Any:
        if path == locked:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refusing)
    collection = Collection([tmp_path], strict=False)
    for _ in range(2):
        assert [passage.id for passage in collection] == ["open.txt"]
        assert collection.unread == {locked: "cannot be read: Permission denied"}
    for strict in (Collection([tmp_path]), Collection([locked], strict=False)):
        with pytest.raises(InputError, match=r"locked\.txt: cannot be read: Permission denied"):
            list(strict)


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(InputError, match=r"no \.jsonl"):
        Collection([tmp_path])
    with pytest.raises(InputError, match=r"pipe\.txt: neither a file nor a folder"):
        Collection([tmp_path / "pipe.txt"])
