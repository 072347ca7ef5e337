"""Building and opening an index: what is found, what is refused, and that a folder is replaced whole or not at all."""

import json
import resource
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

import tfx_core
from tests.retrieval.fake_encoder import FakeEncoder
from tfx_core.embedding.passage_index import Allowed, Passage, RowNumbers, VectorKind, Vectors
from tfx_core.errors import InputError, PassageIndexError, UnknownNameError
from tfx_retrieval import build_index, open_index, search, write_index
from tfx_retrieval.arrays import new_array
from tfx_retrieval.manifest import MANIFEST, record_files

PASSAGES = [
    Passage("the cat sat on the mat", "animals", "1"),
    Passage("a boat sails on the sea", "travel", "2"),
    Passage("bread is baked in an oven", "food", "3"),
]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build_index(PASSAGES, FakeEncoder(), tmp_path / "index")
    return tmp_path / "index"


def test_a_question_finds_its_passage(folder: Path) -> None:
    index = open_index(folder, FakeEncoder())
    (cat, *_), (bread, *others) = index.search(["the cat on the mat", "who baked bread"], k=3)
    assert (cat.rank, cat.row, cat.passage) == (1, 0, PASSAGES[0])
    assert bread.passage == PASSAGES[2]
    assert [hit.rank for hit in (bread, *others)] == [1, 2, 3]
    assert bread.score > others[0].score > others[1].score
    assert index.search([]) == []
    assert [len(hits) for hits in index.search(["cat"], k=50)] == [3]


def test_the_topic_is_part_of_what_is_embedded_unless_it_is_not_wanted(tmp_path: Path) -> None:
    for prefix, expected in ((True, "animals: the cat sat on the mat"), (False, "the cat sat on the mat")):
        encoder = FakeEncoder()
        build_index(PASSAGES, encoder, tmp_path / str(prefix), topic_prefix=prefix)
        assert encoder.encoded[0] == expected
    without_topic = FakeEncoder()
    build_index([Passage("words")], without_topic, tmp_path / "none")
    assert without_topic.encoded[0] == "words"


def test_passages_are_read_once_and_in_bounded_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "CHUNK", 4)
    many = [Passage(f"passage number {number}") for number in range(10)]
    done: list[int] = []
    index = build_index(iter(many), FakeEncoder(), tmp_path / "index", progress=done.append)
    assert done == [4, 4, 2]
    assert index.passages(range(10)) == many
    np.testing.assert_array_equal(index.vectors([7]), FakeEncoder().encode_query(["passage number 7"]))


def test_vectors_made_elsewhere(tmp_path: Path) -> None:
    vectors = np.eye(3, dtype=np.float32)
    write_index([(PASSAGES, vectors)], tmp_path / "index", dimension=3)
    index = open_index(tmp_path / "index")
    scores, rows = index.search_vectors(vectors[[2]] * 3, 1)
    assert (scores.tolist(), rows.tolist()) == ([[3.0]], [[2]])
    with pytest.raises(InputError, match="opened without an encoder"):
        index.search(["bread"])


def test_the_same_passages_give_the_same_files(tmp_path: Path, folder: Path) -> None:
    build_index(PASSAGES, FakeEncoder(), tmp_path / "again")
    assert contents(tmp_path / "again") == contents(folder)


def test_an_index_of_another_model_is_refused_by_name(folder: Path) -> None:
    with pytest.raises(
        PassageIndexError, match=r"made with the model fake, and the model other puts the same texts else"
    ):
        open_index(folder, FakeEncoder(seed="x", name="other"))
    with pytest.raises(PassageIndexError, match="whose vectors have 16 numbers; those of the model given have 8"):
        open_index(folder, FakeEncoder(dimension=8, name=None))


def test_the_same_model_under_another_name_or_in_another_precision_is_accepted(folder: Path) -> None:
    class Rough(FakeEncoder):
        def encode_query(self, texts: Sequence[str]) -> Vectors:
            return super().encode_query(texts).astype(np.float16).astype(np.float32)

    assert open_index(folder, Rough(name="copy")).search(["cat"])


@pytest.mark.parametrize("name", ["vectors.npy", "passages.jsonl", "passages.offsets.npy", "probes.npy"])
def test_a_folder_that_was_cut_short_or_damaged_is_refused_with_the_file(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    for damaged, message in (
        (whole[:-1], f"{name}: {len(whole) - 1} bytes, but {len(whole)} were written"),
        (whole[:-1] + bytes([whole[-1] ^ 1]), f"{name}: damaged, its checksum is not the recorded one"),
        (None, f"{name}: missing from the index"),
    ):
        if damaged is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(damaged)
        with pytest.raises(PassageIndexError, match=message):
            open_index(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda manifest: manifest[:20], "cannot be read"),
        (lambda manifest: "[]", "cannot be read: holds a JSON list"),
        (
            lambda manifest: manifest.replace('"version": 2', '"version": 3'),
            "'version' is 3; this tfx-retrieval reads versions 1 and 2",
        ),
        (lambda manifest: manifest.replace('"count": 3', '"count": -3'), "'count' is -3, not a valid int"),
        (lambda manifest: manifest.replace('"count": 3', '"count": true'), "'count' is True, not a valid int"),
        (
            lambda manifest: manifest.replace('"count": 3', '"count": 2'),
            r"deleted\.npy: cannot be read",
        ),
        (lambda manifest: manifest.replace('"count": 3', '"count": 4'), "3 rows cannot hold 4 passages"),
        (
            lambda manifest: manifest.replace("    3\n", "    4\n").replace('"count": 3', '"count": 4'),
            r"vectors\.npy: holds .* of shape \(3, 16\); expected is float32 of shape \(4, 16\)",
        ),
        (lambda manifest: manifest.replace("    3\n", "    0\n"), r"'segments' is \[0\], not a valid list"),
        (lambda manifest: manifest.replace("    3\n", ""), "'segments' names none"),
        (lambda manifest: manifest.replace('"kind": "flat"', '"kind": null'), "'kind' is None, not a valid str"),
        (lambda manifest: manifest.replace('"inner-product"', '"l2"'), "'metric' is 'l2'"),
        (
            lambda manifest: manifest.replace('"vectors.npy"', '"../vectors.npy"'),
            "names '../vectors.npy', which is not",
        ),
        (lambda manifest: manifest.replace('"vectors.npy"', '"/etc/passwd"'), "names '/etc/passwd', which is not"),
        (lambda manifest: "[" * 100_000, "cannot be read"),
        (lambda manifest: manifest.replace('"count": 3', '"count": 3, "count": 3'), "the key 'count' twice"),
        (lambda manifest: manifest.replace('"count": 3', f'"count": {10**4000}'), "'count' is a number of 13288 bits"),
        (lambda manifest: manifest.replace("inner-product", "x\\u001b[2J" * 1000), r"'metric' is 'x\\x1b\[2Jx"),
        (lambda manifest: manifest.replace('"metric"', '"\\ud800": 1, "metric"'), "half of a surrogate pair"),
    ],
)
def test_a_manifest_that_cannot_be_trusted_is_refused(folder: Path, change: object, message: str) -> None:
    path = folder / MANIFEST
    path.write_text(change(path.read_text()))  # type: ignore[operator]
    with pytest.raises(PassageIndexError, match=message):
        open_index(folder)


@pytest.mark.parametrize(
    ("change", "said"), [({"files": {}}, "'files' names none"), ({"version": True}, "'version' is True")]
)
def test_a_manifest_that_checks_nothing_is_refused(folder: Path, change: dict[str, object], said: str) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(PassageIndexError, match=said):
        open_index(folder)


def test_a_kind_that_is_not_installed_is_named(folder: Path) -> None:
    path = folder / MANIFEST
    path.write_text(path.read_text().replace('"kind": "flat"', '"kind": "tree"'))
    with pytest.raises(UnknownNameError, match=r"passage-index\.json: .*tree"):
        open_index(folder)


def test_options_that_a_kind_does_not_have_are_those_of_the_file(folder: Path) -> None:
    path = folder / MANIFEST
    path.write_text(path.read_text().replace('"options": {}', '"options": {"M": "3"}'))
    with pytest.raises(InputError, match=r"passage-index\.json: index option 'M'"):
        open_index(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_vectors_that_would_hide_their_rows_are_refused(folder: Path, value: float) -> None:
    for name in ("vectors.npy", "probes.npy"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[:-4] + np.float32(value).tobytes())
        manifest = json.loads((folder / MANIFEST).read_text())
        manifest["files"] = {key: asdict(record) for key, record in record_files(folder).items()}
        (folder / MANIFEST).write_text(json.dumps(manifest))
        with pytest.raises(PassageIndexError, match=rf"{name}: holds nan or inf, or its squares do"):
            open_index(folder, FakeEncoder())
        (folder / name).write_bytes(whole)


def test_an_encoder_that_gives_no_numbers_is_refused(tmp_path: Path) -> None:
    class Broken(FakeEncoder):
        def encode_query(self, texts: Sequence[str]) -> Vectors:
            return super().encode_query(texts) * np.float32(np.nan)

    with pytest.raises(InputError, match="the encoder gives vectors that hold nan or inf"):
        build_index(PASSAGES, Broken(), tmp_path / "index")
    assert not (tmp_path / "index").exists()


def test_what_is_no_index(tmp_path: Path) -> None:
    with pytest.raises(PassageIndexError, match="absent: no such folder; make the index with"):
        open_index(tmp_path / "absent")
    with pytest.raises(PassageIndexError, match="not a passage index, it has no passage-index"):
        open_index(tmp_path)


def test_an_index_is_replaced_as_a_whole(folder: Path) -> None:
    old = open_index(folder)
    build_index(PASSAGES[:1], FakeEncoder(), folder)
    assert len(open_index(folder)) == 1
    assert old.passages([2]) == [PASSAGES[2]]  # who has the old one open keeps it
    assert [path.name for path in folder.parent.iterdir()] == ["index"]


class Unlucky(FakeEncoder):
    """Fails at one chunk."""

    def __init__(self, chunk: int) -> None:
        super().__init__()
        self.chunk = chunk

    def encode_document(self, texts: Sequence[str], **options: object) -> Vectors:
        if len(self.encoded) == self.chunk:
            raise KeyboardInterrupt
        return super().encode_document(texts)


def test_an_interrupted_build_leaves_the_old_index_and_what_it_embedded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "CHUNK", 1)
    before = contents(folder)
    for chunk, left in ((0, ["index"]), (1, [".index.building", "index"])):
        with pytest.raises(KeyboardInterrupt):
            build_index(PASSAGES, Unlucky(chunk), folder)
        assert contents(folder) == before
        assert sorted(path.name for path in folder.parent.iterdir()) == left


@pytest.mark.parametrize("limit", [0, 100, 250, 350, 500])
def test_a_disk_that_fills_up_leaves_the_old_index_and_is_one_message(folder: Path, limit: int) -> None:
    before = contents(folder)
    assert sorted(map(len, before.values()))[-1] > limit  # the limit on the size of a file strikes somewhere
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(
            PassageIndexError, match=r"/index: could not be saved: .*; what was there before is unchanged"
        ):
            build_index(PASSAGES, FakeEncoder(), folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents(folder) == before
    assert {path.name for path in folder.parent.iterdir()} <= {"index", ".index.building"}


def test_no_passages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no passages: an index needs at least one"):
        build_index([], FakeEncoder(), tmp_path / "index")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_anything_else_in_it_is_never_replaced(tmp_path: Path, folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"also holds 'notes\.txt', which would go with the old index"):
        build_index(PASSAGES, FakeEncoder(), folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other files and is not an index"):
        build_index(PASSAGES, FakeEncoder(), tmp_path / "mine")
    with pytest.raises(InputError, match="not a folder"):
        build_index(PASSAGES, FakeEncoder(), tmp_path / "mine" / "notes.txt")
    (folder / "notes.txt").unlink()
    (folder / MANIFEST).write_text("{")
    with pytest.raises(PassageIndexError, match="delete the folder and build the index again"):
        build_index(PASSAGES, FakeEncoder(), folder)


def test_questions_are_a_list(folder: Path) -> None:
    with pytest.raises(InputError, match="give a list of questions, not one string"):
        open_index(folder, FakeEncoder()).search("cat")


class Reversed(VectorKind):
    """A kind of index as a third party would bring it: its own files, and one option."""

    class Opened:
        def __init__(self, matrix: Vectors) -> None:
            self.matrix = matrix

        def search(self, queries: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Vectors, RowNumbers]:
            scores = queries @ self.matrix.T
            rows = np.argsort(-scores, axis=1)[:, :k]
            found = np.take_along_axis(scores, rows, axis=1)
            rows[:, -1], found[:, -1] = -1, -np.inf  # as an approximate index that found one less
            return found, rows

        def vectors(self, rows: RowNumbers) -> Vectors:
            return self.matrix[rows]

    def write(
        self,
        folder: Path,
        vectors: Vectors,
        *,
        options: Mapping[str, str],
        progress: Callable[[int], object] | None = None,
    ) -> None:
        self.check(options)
        (folder / "all.json").write_text(json.dumps(vectors.tolist()))

    def open(self, folder: Path, *, count: int, dimension: int, options: Mapping[str, str]) -> "Reversed.Opened":
        assert (count, dimension, options) == (3, 16, {"color": "blue"})
        return self.Opened(np.array(json.loads((folder / "all.json").read_text()), np.float32))

    def check(self, options: Mapping[str, str]) -> None:
        assert options == {"color": "blue"}


def test_a_third_party_brings_its_own_kind(tmp_path: Path) -> None:
    plugin = types.ModuleType("reversed_index")
    plugin.KIND = Reversed()  # type: ignore[attr-defined]

    @tfx_core.hookimpl
    def tfx_indexes() -> list[tfx_core.IndexSpec]:
        return [tfx_core.IndexSpec("reversed", target="reversed_index:KIND")]

    plugin.tfx_indexes = tfx_indexes  # type: ignore[attr-defined]
    sys.modules["reversed_index"] = plugin
    tfx_core.register(plugin, name="reversed-index")
    try:
        built = build_index(PASSAGES, FakeEncoder(), tmp_path / "i", kind="reversed", options={"color": "blue"})
        (found,) = built.search(["cat mat"], 3)
        assert len(found) == 2
        assert found[0].passage == PASSAGES[0]
        (tmp_path / "i" / "all.json").write_text("{}")
        with pytest.raises(PassageIndexError, match=r"all\.json: 2 bytes, but"):
            open_index(tmp_path / "i")
    finally:
        tfx_core.unregister("reversed-index")
        del sys.modules["reversed_index"]


def test_arrays_that_are_filled_in_place_have_their_room_before(tmp_path: Path) -> None:
    array = new_array(tmp_path / "array.npy", "<i8", (300_000,))
    taken = (tmp_path / "array.npy").stat()
    assert not array.any()
    assert taken.st_blocks * 512 >= taken.st_size > array.nbytes


def test_rows_are_whole_numbers(folder: Path) -> None:
    index = open_index(folder)
    for rows in (np.array([True, False, True]), [1.5], ["1"]):
        for read in (index.passages, index.vectors):
            with pytest.raises(InputError, match=r"rows of type .*: give whole numbers"):
                read(rows)  # type: ignore[arg-type]
    assert index.passages([]) == []


def test_no_search_takes_one_string_for_a_list(tmp_path: Path) -> None:
    index = build_index(PASSAGES, FakeEncoder(), tmp_path / "index", lexical=True)
    for each in (index, index.by_words, index.hybrid()):
        with pytest.raises(InputError, match="give a list of questions, not one string"):
            each.search("bread", 2)


def test_whole_numbers_are_compared_as_they_are(tmp_path: Path) -> None:
    passages = [Passage("bread", id=str(number), metadata={"n": 2**53 + number}) for number in range(3)]
    index = build_index(passages, FakeEncoder(), tmp_path / "index")
    (found,) = index.search(["bread"], 3, where={"n": [2**53 + 1, 0.5]})
    assert [hit.passage.id for hit in found] == ["1"]
