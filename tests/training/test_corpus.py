"""A corpus from files to arrays: what is read, what is refused, and what a folder holds."""

import gzip
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers

import tfx_core
from tfx_core.errors import InputError
from tfx_training import (
    Document,
    Part,
    Reading,
    TokenCorpus,
    open_corpus,
    prepared_corpus,
    read_documents,
    write_corpus,
)
from tfx_training.corpus import collecting
from tfx_training.corpus.sentences import by_rule

COLUMNS = ("ids", "word_starts", "sentence_ends", "document_ends", "groups")


@pytest.fixture
def tokenizer(tmp_path: Path) -> tfx_core.Tokenizer:
    return letters(tmp_path / "tokenizer")


def letters(folder: Path, more: Sequence[str] = ()) -> tfx_core.Tokenizer:
    """A tokenizer whose tokens are letters, and words what blanks separate."""
    backend = Backend(models.BPE({token: i for i, token in enumerate((*"abcdefghijklmnopqrstuvwxyz.", *more))}, []))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    folder.mkdir()
    backend.save(str(folder / "tokenizer.json"))
    return tfx_core.load_tokenizer(folder)


def texts(paths: Path | Sequence[str | Path], reading: Reading | None = None) -> list[tuple[str, ...]]:
    documents = read_documents([paths] if isinstance(paths, Path) else paths, reading)
    return [tuple(part.text for part in document.parts) for document in documents]


def sentences(text: str, ends: Sequence[int]) -> list[str]:
    return [text[begin:end].strip() for begin, end in zip([0, *ends], [*ends, len(text)], strict=True)]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("blank-lines", [("a b\nc",), ("d",)]),
        ("lines", [("a b",), ("c",), ("d",)]),
        ("files", [("\ufeffa b\nc\n\n \nd"[1:],)]),
    ],
)
def test_texts(form: str, expected: object, tmp_path: Path) -> None:
    """With a mark of order at the beginning, and line ends of another system."""
    (tmp_path / "a.txt").write_bytes("\ufeffa b\r\nc\r\n\r\n \r\nd\r\n".encode())
    with gzip.open(tmp_path / "b.txt.gz", "wb") as file:
        file.write((tmp_path / "a.txt").read_bytes())
    found = texts(tmp_path / "a.txt", Reading(documents=form))
    assert [tuple(map(str.rstrip, each)) for each in found] == expected
    assert texts(tmp_path / "b.txt.gz", Reading(documents=form)) == found


def test_records(tmp_path: Path) -> None:
    records = [
        {"text": "One. Two.", "lang": "en"},
        {"sentences": ["a b", "c"], "code": "Links"},
        {"translation": {"en": "x", "fr": "y"}},
        {"source": "q", "target": "r"},
    ]
    (tmp_path / "a.jsonl").write_text("\n\n".join(map(json.dumps, records)))
    one, two, three, four = read_documents([tmp_path / "a.jsonl"])
    assert one == Document((Part("One. Two.", [4], "en"),))
    assert two == Document((Part("a b c", [3, 5], "Links"),))
    assert three == Document((Part("x", (), "en"), Part("y", (), "fr")))
    assert four == Document.of("q", "r")


def test_parallel_files(tmp_path: Path) -> None:
    (tmp_path / "a.en").write_text("one\n\ntwo\n")
    (tmp_path / "a.fr").write_text("un\nrien\ndeux\n")
    reading = Reading(pair="en-fr")
    assert texts(tmp_path / "a", reading) == texts(tmp_path, reading) == [("one", "un"), ("two", "deux")]
    (tmp_path / "a.fr").write_text("un\n")
    with pytest.raises(InputError, match=r"a\.fr: has no line 2"):
        texts(tmp_path / "a", reading)


def test_folders_and_patterns(tmp_path: Path, tokenizer: tfx_core.Tokenizer) -> None:
    for name in ("b.txt", "a.txt", ".hidden.txt", "c.bin", "in/d.md"):
        (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "x" / name).write_text(name[0])
    write_corpus(["a"], tokenizer, tmp_path / "x" / "store")
    (tmp_path / "x" / "store" / "e.txt").write_text("of no corpus")
    assert texts(tmp_path / "x") == [("a",), ("b",), ("i",)]
    assert texts([str(tmp_path / "x" / "*.txt")]) == [("a",), ("b",)]
    assert len(texts(["pydoc:topics"])) > 50


@pytest.mark.parametrize(
    ("name", "contents", "message"),
    [
        ("a.txt", b"good\nb\xe4d\n", r"a\.txt, line 2: not UTF-8 \(byte 0xe4 at place 1\)"),
        ("a.txt", b"a\0b", "binary or UTF-16"),
        ("a.txt.gz", b"\x1f\x8bno", "no whole gzip file"),
        ("a.jsonl", b'{"text": "a"}\n{"text"', r"a\.jsonl, line 2: is no JSON"),
        ("a.jsonl", b'["a"]', "must be an object"),
        ("a.jsonl", b'{"content": "a"}', r"line 1: its keys are 'content'; a record is"),
        ("a.jsonl", b'{"text": 3}', "line 1: text is 3; it must be a text"),
        ("a.jsonl", b'{"sentences": ["a", 1]}', r"sentences\[1\] is 1"),
        ("a.jsonl", b'{"source": "a"}', "target is missing"),
        ("a.jsonl", b'{"translation": {"a": "x", "b": "y", "c": "z"}}', "has 3 languages"),
        ("a.jsonl", b'{"text": "\\ud800"}', "half of a surrogate pair"),
    ],
)
def test_bad_files(name: str, contents: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(InputError, match=message):
        texts(tmp_path / name)


def test_what_does_not_exist(tmp_path: Path) -> None:
    for paths, message in (([], "no corpus"), ([tmp_path / "a"], "no such file"), ([f"{tmp_path}/*.x"], "pattern")):
        with pytest.raises(InputError, match=message):
            read_documents(paths)
    with pytest.raises(InputError, match=r"no \.txt"):
        read_documents([tmp_path])
    for options in ({"documents": "pages"}, {"pair": "en"}, {"sentences": "magic"}):
        with pytest.raises(InputError, match=r"documents=|pair=|sentences="):
            Reading(**options)


def test_sentences_by_rule() -> None:
    text = (
        'Dr. J. R. Smith paid 3.5 dollars (cf. p. 4). "He left!" Was it so? e.g. here.\n\nNew. 1. One\n你好。是吗？对'
    )
    assert sentences(text, by_rule(text)) == [
        "Dr. J. R. Smith paid 3.5 dollars (cf. p. 4).",
        '"He left!"',
        "Was it so? e.g. here.",
        "New.",
        "1.",
        "One\n你好。",
        "是吗？",
        "对",
    ]


def test_sentences_by_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its ends are behind the blanks, ours before them."""
    asked = []

    def boundaries(language: str, text: str) -> list[dict[str, int]]:
        asked.append(language)
        return [{"end_index": 3}, {"end_index": len(text)}]

    monkeypatch.setitem(sys.modules, "sentencex", SimpleNamespace(get_sentence_boundaries=boundaries))
    assert Reading(sentences="sentencex").part("A. B.", "fr").sentence_ends == [2, 5]
    assert asked == ["fr"]
    monkeypatch.setitem(sys.modules, "sentencex", None)
    with pytest.raises(InputError, match=r"pip install \"tfx-training\[sentences\]\""):
        Reading(sentences="sentencex")


def documents() -> list[Document]:
    """With a blank one, and one of which a side is blank: both are left out."""
    pair = Document((Part("ab c", (), "en"), Part("d", (), "fr")))
    return [Document.of("  "), Document((Part("ab. cd e", [3, 8]),)), pair, Document.of("a", " ")]


def test_memory_and_disk_are_alike(tokenizer: tfx_core.Tokenizer, tmp_path: Path) -> None:
    memory = TokenCorpus.of(tokenizer, documents())
    told: list[int] = []
    written = write_corpus(documents(), tokenizer, tmp_path / "c", progress=told.append)
    for corpus in (written, open_corpus(tmp_path / "c", tokenizer)):
        for column in COLUMNS:
            ours, theirs = getattr(memory, column), getattr(corpus, column)
            assert ours.dtype == theirs.dtype
            assert ours.tolist() == theirs.tolist(), column
        assert corpus.group_names == memory.group_names == ("", "en", "fr")
        assert corpus.size == memory.size == 13
    assert memory.ids.dtype == np.uint16
    assert sum(told) == 2 + 8 + 5 + 2
    assert memory.sentence_ends.tolist() == [3, 6, 9, 10]
    assert memory.document_ends.tolist() == [2, 4]
    assert memory.word_starts.tolist() == [True, False, False, True, False, True, True, False, True, True]


def test_long_texts_are_cut_where_nothing_changes(
    tokenizer: tfx_core.Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = " ".join("abcde fgh. ij" for _ in range(300))
    document = Document((Part(text, by_rule(text.replace(" a", " A"))),))
    whole = TokenCorpus.of(tokenizer, [document])
    monkeypatch.setattr(collecting, "LONGEST", 100)
    monkeypatch.setattr(collecting, "TOGETHER", 150)
    cut = TokenCorpus.of(tokenizer, [document, document])
    for column in ("ids", "word_starts"):
        assert getattr(cut, column).tolist() == 2 * getattr(whole, column).tolist()
    assert cut.sentence_ends[: len(whole.sentence_ends)].tolist() == whole.sentence_ends.tolist()


def test_a_prepared_corpus_is_kept_as_long_as_it_is_the_same(tokenizer: tfx_core.Tokenizer, tmp_path: Path) -> None:
    file, folder = tmp_path / "a.txt", tmp_path / "store"
    file.write_text("\n\n".join(f"{chr(97 + i % 26)} {chr(97 + i // 26)}" for i in range(400)))
    told: list[int] = []

    def prepare(tokenizer: tfx_core.Tokenizer = tokenizer, held_out: float = 0.1) -> tuple[int, int]:
        made = prepared_corpus([file], tokenizer, folder, held_out=held_out, progress=told.append)
        return len(made.training), 0 if made.held_out is None else len(made.held_out)

    first = prepare()
    assert sum(first) == 400
    assert 20 < first[1] < 60
    read = len(told)
    assert prepare() == first
    assert len(told) == read
    file.write_text(file.read_text() + "\n\nzz")
    again = prepare()
    assert sum(again) == 401
    assert again[0] >= first[0]
    assert again[1] >= first[1]
    assert len(told) > read
    assert prepare(held_out=0.0) == (401, 0)
    read = len(told)
    assert prepare(letters(tmp_path / "other", ["ab"]), 0.0) == (401, 0)
    assert len(told) == read + 401
    with pytest.raises(InputError, match="another tokenizer"):
        open_corpus(folder / "training", tokenizer)


def test_what_goes_wrong_leaves_what_was_there(tokenizer: tfx_core.Tokenizer, tmp_path: Path) -> None:
    def breaking() -> Iterator[str]:
        yield "a"
        raise KeyboardInterrupt

    write_corpus(["a b"], tokenizer, tmp_path / "c")
    with pytest.raises(KeyboardInterrupt):
        write_corpus(breaking(), tokenizer, tmp_path / "c")
    with pytest.raises(InputError, match="no tokens"):
        write_corpus([" "], tokenizer, tmp_path / "c")
    assert open_corpus(tmp_path / "c").ids.tolist() == [0, 1]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["c", "tokenizer"]
    with pytest.raises(InputError, match="holds no corpus"):
        write_corpus(["a"], tokenizer, tmp_path / "tokenizer")
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(InputError, match="held_out"):
        prepared_corpus([tmp_path / "a.txt"], tokenizer, tmp_path / "d", held_out=1e-9)


def test_damaged_folders(tokenizer: tfx_core.Tokenizer, tmp_path: Path) -> None:
    folder = tmp_path / "c"

    def damaged(name: str, values: object, message: str) -> None:
        write_corpus(documents(), tokenizer, folder)
        if isinstance(values, np.ndarray):
            np.save(folder / name, values)
        else:
            (folder / name).write_bytes(values if isinstance(values, bytes) else json.dumps(values).encode())
        with pytest.raises(InputError, match=message):
            open_corpus(folder)

    write_corpus(documents(), tokenizer, folder)
    manifest = json.loads((folder / "corpus.json").read_text())
    damaged("ids.npy", np.full(10, 27, np.uint16), "ids.npy: has the number 27, and there are only 27")
    damaged("ids.npy", np.zeros(9, np.uint16), "has 9 values, not 10")
    damaged("ids.npy", np.zeros(10, np.int32), "no array of uint16")
    damaged("ids.npy", b"", "cannot be read")
    damaged("groups.npy", np.full(4, 3, np.uint16), "groups.npy: has the number 3")
    damaged("sentence_ends.npy", np.asarray([3, 3, 9, 10]), "do not ascend")
    damaged("document_ends.npy", np.asarray([0, 4]), "do not ascend")
    damaged("document_ends.npy", np.asarray([2, 3]), "ends with 3, and 4 would be")
    damaged("corpus.json", {**manifest, "version": 7}, "version is 7")
    damaged("corpus.json", {**manifest, "tokens": True}, "tokens is True")
    damaged("corpus.json", b"{", "is no JSON")
    with pytest.raises(InputError, match="cannot be read"):
        open_corpus(tmp_path)


def test_data_sets(tmp_path: Path) -> None:
    import datasets

    rows = datasets.Dataset.from_dict({"text": ["a b", "c"], "language": ["en", None]})
    rows.save_to_disk(tmp_path / "saved")
    rows.to_parquet(tmp_path / "a.parquet")
    datasets.DatasetDict({"train": rows, "test": rows.select([1])}).save_to_disk(tmp_path / "parts")
    for name in ("saved", "a.parquet", "parts"):
        assert texts(tmp_path / name) == [("a b",), ("c",)]
    assert texts(tmp_path / "parts", Reading(split="test")) == [("c",)]
    with pytest.raises(InputError, match="no split 'dev'"):
        texts(tmp_path / "parts", Reading(split="dev"))
