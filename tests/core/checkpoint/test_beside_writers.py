"""Readers see one save, whole: beside a save under way, across one that comes meanwhile, and after one was killed."""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

import tfx_core
from tests.core.text.folders import BERT, VOCABULARY, read, write
from tests.interference import READING, WRITING, before_each, killed_at
from tfx_core.checkpoint import journal, open_folder, read_whole, replacing, replacing_files, write_folder
from tfx_core.errors import CheckpointError, TfxError
from tfx_core.text import read_tokenizer
from tfx_testing import toy

PLACES = (32, 64)
LENGTHS = (100, 200)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody waits, for a save that does not go on while it is waited for nor for the disk."""
    monkeypatch.setattr(journal, "_PATIENCE", 0.0)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    with tfx_core.register(toy.Plugin(), name="tfx-toy"):
        yield


@dataclass(frozen=True)
class Subject:
    """Two saves, 0 and 1, that take each other's place in a folder."""

    save: Callable[[Path, int], object]
    saves_in: Callable[[Path], set[int]]
    """The saves that the parts of what is read are of."""


def model(*shard_sizes: int | str) -> Subject:
    """A model whose weights are the number of its save; each save is in shards of its own size."""
    models = [tfx_core.new_model("toy", head="masked-lm", seed=0, max_position_embeddings=size) for size in PLACES]
    with torch.no_grad():
        for number, each in enumerate(models):
            for parameter in each.parameters():
                parameter.fill_(number)

    def saves_in(folder: Path) -> set[int]:
        loaded = tfx_core.load_model(folder)
        weights = {int(number) for parameter in loaded.parameters() for number in parameter.unique().tolist()}
        assert loaded.config.max_position_embeddings is not None
        return {PLACES.index(loaded.config.max_position_embeddings), *weights}

    return Subject(
        lambda folder, save: models[save].save_pretrained(folder, max_shard_size=shard_sizes[save]), saves_in
    )


def tokenizer(tmp_path: Path) -> Subject:
    """A tokenizer with a longest text of its own, and for save 1 with one more token."""
    saved = []
    for number, length in enumerate(LENGTHS):
        write(tmp_path / str(number), {"vocab.txt": VOCABULARY, "tokenizer_config.json": {"model_max_length": length}})
        saved.append(read(tmp_path / str(number)))
    saved[1].add_tokens("<new>")

    def saves_in(folder: Path) -> set[int]:
        loaded = read_whole(folder, lambda files: read_tokenizer(files, BERT))
        return {LENGTHS.index(loaded.model_max_length), len(loaded) - len(saved[0])}

    return Subject(lambda folder, save: saved[save].save_pretrained(folder), saves_in)


def one_file(tmp_path: Path) -> Subject:
    """A single file, as the command line writes it."""

    def save(folder: Path, number: int) -> None:
        folder.mkdir(exist_ok=True)
        with replacing(folder / "results.jsonl") as temporary:
            temporary.write_text(str(number) * 100)

    return Subject(save, lambda folder: {*map(int, (folder / "results.jsonl").read_text())})


SUBJECTS = ("one file to shards", "shards to one file", "one file to one file", "tokenizer", "results")


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    return {
        "one file to shards": lambda: model("5GB", 200),
        "shards to one file": lambda: model(200, "5GB"),
        "one file to one file": lambda: model("5GB", "5GB"),
        "tokenizer": lambda: tokenizer(tmp_path / "made"),
        "results": lambda: one_file(tmp_path),
    }[request.param]()


@pytest.fixture
def folder(subject: Subject, tmp_path: Path) -> Path:
    """Save 0, and a file of the user's."""
    subject.save(tmp_path / "saved", 0)
    (tmp_path / "saved" / "README.md").write_text("mine")
    return tmp_path / "saved"


def leftovers(place: Path) -> list[str]:
    return [path.name for path in place.rglob(".saving-*")]


def test_a_reader_at_every_moment_of_a_save(subject: Subject, folder: Path) -> None:
    seen: list[int | None] = []

    def look(call: int) -> None:
        try:
            (save,) = subject.saves_in(folder)
            seen.append(save)
        except CheckpointError as error:
            seen.append(None)
            messages.add(str(error))

    messages: set[str] = set()
    with before_each(WRITING, look):
        subject.save(folder, 1)
    assert messages <= {f"{folder}: is being saved by another process; load it when that is done"}
    assert seen == sorted(seen, key=[0, None, 1].index)  # the old one, for a moment none, then the new one
    assert {0, 1} < {*seen} | {None}
    assert subject.saves_in(folder) == {1}
    assert leftovers(folder.parent) == []


def test_a_save_at_every_moment_of_a_reader(subject: Subject, folder: Path) -> None:
    state = 0
    saved = True

    def save_at(moment: int) -> Callable[[int], None]:
        def act(call: int) -> None:
            nonlocal state, saved
            if call == moment:
                subject.save(folder, 1 - state)
                state, saved = 1 - state, True

        return act

    moments = 0
    while saved:
        before, saved = state, False
        with before_each(READING, save_at(moments)):
            found = subject.saves_in(folder)
        assert found in ({before}, {state})
        moments += 1
    assert moments > 1


@pytest.mark.parametrize("reader", ["pipeline", "encoder"])
def test_a_save_at_every_moment_of_what_reads_a_model_and_its_tokenizer(tmp_path: Path, reader: str) -> None:
    folder = toy.save(tmp_path / "saved", "masked-lm")
    subject = model("5GB", 200)
    subject.save(Path(folder), 0)
    for moment in range(1000):
        came = False

        def save(call: int, moment: int = moment) -> None:
            nonlocal came
            if call == moment:
                came = True
                subject.save(Path(folder), 1 - moment % 2)

        with before_each(READING, save):
            loaded = (
                tfx_core.load_encoder(folder).model
                if reader == "encoder"
                else tfx_core.pipeline("fill-mask", model=folder).model
            )
        weights = {int(number) for parameter in loaded.parameters() for number in parameter.unique().tolist()}
        assert weights == {PLACES.index(loaded.config.max_position_embeddings)}
        if not came:
            break
    assert moment > 10


def test_a_save_that_is_killed_at_any_moment(subject: Subject, folder: Path) -> None:
    seen = []
    for call in range(1000):
        if not killed_at(call, lambda: subject.save(folder, 1)):
            break
        (save,) = subject.saves_in(folder)  # the next load
        assert (folder / "README.md").read_text() == "mine"
        subject.save(folder, 0)  # and the next save
        assert subject.saves_in(folder) == {0}
        assert leftovers(folder.parent) == []
        seen.append(save)
    assert seen == sorted(seen)
    assert {*seen} == {0, 1}


def test_a_save_that_fails_at_any_moment(subject: Subject, folder: Path) -> None:
    for moment in range(1000):
        failed = False

        def fail(call: int, moment: int = moment) -> None:
            nonlocal failed
            if call == moment:
                failed = True
                raise OSError(28, "No space left on device", str(folder / ".saving-commit"))

        message = None
        try:
            with before_each(WRITING, fail):
                subject.save(folder, 1)
        except (TfxError, OSError) as error:
            message = str(error)
        if not failed:
            break
        assert subject.saves_in(folder) == ({1} if message is None else {0})
        if message is not None:
            assert str(folder) in message
            assert "No space left on device" in message
            assert ".saving-" not in message
        subject.save(folder, 0)
        assert leftovers(folder.parent) == []


def texts(folder: Path) -> dict[str, str]:
    """The files that are not a save's own."""
    files = [path for path in folder.rglob("*") if path.is_file() and ".saving-" not in str(path)]
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def test_undoing_can_be_killed_as_well(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    old = {"config.json": "old", "model.safetensors": "old", "sub/a": "old", "README.md": "mine"}
    new = {"config.json": "new", "model-1": "new", "sub/a": "new", "sub/b": "new"}

    def save() -> None:
        with replacing_files(folder, stale=lambda old, new: ["model.safetensors"], last=["config.json"]) as staging:
            write(staging / "sub", {})
            for name, text in new.items():
                (staging / name).write_text(text)

    for call in range(1000):
        for name, text in old.items():
            write((folder / name).parent, {(folder / name).name: text})
        if not killed_at(call, save):
            break
        if (folder / ".saving-commit" / "record.json").exists():
            shutil.copytree(folder, tmp_path / "copy", copy_function=os.link)
            for again in range(1000):
                if not killed_at(again, lambda: open_folder(folder).path("config.json")):
                    break
                assert open_folder(folder).require("config.json").read_text() == "old"
                assert texts(folder) == old
                shutil.rmtree(folder)
                shutil.copytree(tmp_path / "copy", folder, copy_function=os.link)
            shutil.rmtree(tmp_path / "copy")
            assert again > 5
        open_folder(folder).path("config.json")
        with write_folder(folder):  # a save of nothing
            pass
        assert leftovers(tmp_path) == []
        assert texts(folder) == old or set(texts(folder).values()) == {"new", "mine"}
        for path in [path for path in folder.rglob("*") if path.is_file()]:
            path.unlink()


def test_what_a_killed_save_had_put_aside_is_not_taken_for_what_the_next_one_does(tmp_path: Path) -> None:
    def save(text: str, fail: bool = False) -> None:
        with replacing_files(tmp_path) as new:
            (new / "a").write_text(text)
            (new / "b").write_text(text)
            if fail:
                (tmp_path / "b").unlink()
                (tmp_path / "b").mkdir()

    save("1")
    aside = write(tmp_path / ".saving-commit", {"lock": ""})
    write(aside / "old", {"a": "0"})  # killed when its change was done, but not all was removed
    with pytest.raises(IsADirectoryError):
        save("2", fail=True)
    assert (tmp_path / "a").read_text() == "1"
    assert leftovers(tmp_path) == []


def test_two_writers_come_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_PATIENCE", 60.0)
    kinds = [model("5GB", 200), model(200, "5GB")]
    kinds[0].save(tmp_path, 0)

    def save(kind: Subject) -> None:
        for number in range(10):
            kind.save(tmp_path, number % 2)

    threads = [threading.Thread(target=save, args=[kind]) for kind in kinds]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert kinds[0].saves_in(tmp_path) in ({0}, {1})
    assert kinds[0].saves_in(tmp_path) == {1}
    assert leftovers(tmp_path) == []


def test_two_writers_of_a_new_folder_both_leave_their_files(tmp_path: Path) -> None:
    with write_folder(tmp_path / "new") as one, write_folder(tmp_path / "new") as other:
        (one / "a").write_text("1")
        (other / "b").write_text("2")
    assert texts(tmp_path) == {"new/a": "1", "new/b": "2"}


def test_a_second_writer_does_not_wait_for_ever(tmp_path: Path) -> None:
    write(tmp_path, {"a": "1", "b": "1"})
    with journal.committing(tmp_path), pytest.raises(CheckpointError) as caught, write_folder(tmp_path) as new:
        write(new, {"a": "2", "b": "2"})
    assert str(caught.value) == (
        f"{tmp_path}: could not be saved: another process is saving there; what was there before is unchanged"
    )
    assert texts(tmp_path) == {"a": "1", "b": "1"}


def unfinished(folder: Path, leaving: object = (), arriving: object = ()) -> Path:
    """A folder in which a save was killed; of names that arrive, the inodes are those of what is there."""
    write(folder, {"config.json": '{"save": "new"}'})
    if isinstance(arriving, list):
        arriving = {name: (folder / name).stat().st_ino if (folder / name).exists() else 0 for name in arriving}
    write(folder / ".saving-commit", {"lock": "", "record.json": {"leaving": leaving, "arriving": arriving}})
    write(folder / ".saving-commit" / "old", {"config.json": '{"save": "old"}'})
    return folder


def test_a_reader_that_may_not_write_is_told_of_a_killed_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = unfinished(tmp_path, ["config.json"], ["config.json"])

    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refuse)
        patch.setattr(os, "unlink", refuse)
        with pytest.raises(CheckpointError) as caught:
            open_folder(folder).json("config.json")
    assert str(caught.value) == (
        f"{folder}: a save was killed half-way, and what it left in {folder}/.saving-commit cannot be undone: "
        "Permission denied; load it once as a user who may write there"
    )
    assert open_folder(folder).json("config.json") == {"save": "old"}


@pytest.mark.parametrize("name", ["../victim", "/victim", "sub/victim", "a\\..\\victim", "", "."])
@pytest.mark.parametrize("key", ["leaving", "arriving"])
def test_a_record_that_a_stranger_made_reaches_nothing_else(tmp_path: Path, name: str, key: str) -> None:
    write(tmp_path, {"victim": "whole"})
    folder = unfinished(tmp_path / "folder", **{key: [str(tmp_path / "victim") if name == "/victim" else name]})
    (folder / "sub").symlink_to(tmp_path)
    with pytest.raises(CheckpointError, match=r"cannot be undone: its record\.json was not written by a save"):
        open_folder(folder).json("config.json")
    assert (tmp_path / "victim").read_text() == "whole"


MANY = json.dumps({"leaving": [*map(str, range(10_001))], "arriving": {}})


@pytest.mark.parametrize(
    "record", ["", "[" * 10**5, "1", "[]", '{"leaving": 1, "arriving": []}', '{"leaving": []}', MANY]
)
def test_a_record_that_is_none(tmp_path: Path, record: str) -> None:
    folder = unfinished(tmp_path)
    (folder / ".saving-commit" / "record.json").write_text(record)
    with pytest.raises(CheckpointError, match=r"cannot be undone: its record\.json was not written by a save"):
        open_folder(folder).json("config.json")


def test_a_record_that_is_no_plain_file_is_not_read(tmp_path: Path) -> None:
    record = unfinished(tmp_path) / ".saving-commit" / "record.json"
    record.unlink()
    os.mkfifo(record)  # whoever opens it waits for ever
    with pytest.raises(CheckpointError, match=r"cannot be undone: its record\.json was not written by a save"):
        open_folder(tmp_path).json("config.json")


@pytest.mark.parametrize("leaving", [[], ["mine"], ["mine", "config.json"]])
@pytest.mark.parametrize("arriving", [{}, {"mine": 1}, {"mine": None}, {"mine": "1", "config.json": 1}])
def test_a_record_that_came_with_a_model_removes_nothing_beside_it(
    tmp_path: Path, leaving: list[str], arriving: dict[str, object]
) -> None:
    write(unfinished(tmp_path, leaving, arriving) / "mine", {"a": "whole"})
    write(tmp_path / ".saving-commit" / "old" / "mine", {"a": "theirs"})
    before = texts(tmp_path)
    model = write(tmp_path / "model", {"config.json": "{}"})
    if not leaving and not arriving:
        assert open_folder(model).json("config.json") == {}
    else:
        with pytest.raises(CheckpointError, match=r"cannot be undone: '.*' is not what that save put there"):
            open_folder(model).json("config.json")
    assert texts(tmp_path) == {**before, "model/config.json": "{}"}


def test_what_another_program_saved_after_a_killed_save_is_not_undone(tmp_path: Path) -> None:
    folder = unfinished(tmp_path, ["config.json"], ["config.json"])
    write(tmp_path, {"newer": '{"save": "newer"}'})
    os.replace(tmp_path / "newer", folder / "config.json")
    message = "'config.json' is not what that save put there; delete '.saving-commit' to keep what is there now"
    for use in (lambda: open_folder(folder).json("config.json"), lambda: save_a_and_b(folder)):
        with pytest.raises(CheckpointError, match=message):
            use()
    shutil.rmtree(folder / ".saving-commit")
    assert open_folder(folder).json("config.json") == {"save": "newer"}


def save_a_and_b(folder: Path) -> None:
    with write_folder(folder) as new:
        write(new, {"a": "1", "b": "2"})


def test_a_link_in_place_of_what_saves_use_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", {"mine": "whole"})
    folder = write(tmp_path / "folder", {"a": "0", "b": "0"})
    (folder / ".saving-commit").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match=f"^{folder}: could not be saved: Not a directory"):
        save_a_and_b(folder)
    assert texts(tmp_path / "elsewhere") == {"mine": "whole"}


def test_a_record_of_another_user_counts_only_in_a_folder_of_his(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(unfinished(tmp_path, [], ["mine"]), {"mine": "whole"})  # as in /tmp
    inner = write(tmp_path / "model", {"config.json": "{}"})
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    monkeypatch.setattr(journal, "_owner", lambda path: os.getuid() + (2 if path.name == "record.json" else 0))
    assert open_folder(inner).json("config.json") == {}
    with write_folder(tmp_path / "new") as new:
        (new / "a").write_text("1")
    with pytest.raises(CheckpointError, match="it is another user's"):
        open_folder(tmp_path).json("config.json")
    assert (tmp_path / "mine").read_text() == "whole"


def test_what_only_looks_like_a_leftover_stays(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", {"lock": "", "a": "mine"})
    write(tmp_path / "folder" / ".saving-1234-mine", {"a": "mine"})
    (tmp_path / "folder" / ".saving-link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "folder" / ".saving-note").write_text("mine")
    with write_folder(tmp_path / "folder") as new:
        (new / "a").write_text("1")
    assert (tmp_path / "folder" / ".saving-note").read_text() == "mine"
    assert (tmp_path / "folder" / ".saving-link" / "a").read_text() == "mine"
    assert (tmp_path / "folder" / ".saving-1234-mine" / "a").read_text() == "mine"


def test_a_folder_that_others_write_to_is_read_again(tmp_path: Path) -> None:
    files = {"config.json": '{"save": 0}', "weights": "0"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, (0, 0))
    reads = []

    def read_both(folder: tfx_core.checkpoint.Folder) -> list[str]:
        both = [json.dumps(folder.json("config.json")), folder.require("weights").read_text()]
        if not reads:
            for name, text in files.items():  # in place, as transformers does
                (tmp_path / name).write_text(text.replace("0", "1"))
        reads.append(both)
        return both

    assert read_whole(tmp_path, read_both) == ['{"save": 1}', "1"]
    assert len(reads) == 2


def test_a_folder_that_never_rests_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    reads = 0

    def restless(folder: tfx_core.checkpoint.Folder) -> None:
        nonlocal reads
        reads += 1
        with folder.require("a").open("a") as stream:
            stream.write("more")
        raise ValueError("of a file that is being written")

    message = f"{tmp_path}: its files were replaced while they were read; open it again when nothing writes to it"
    with pytest.raises(CheckpointError) as caught:
        read_whole(tmp_path, restless)
    assert (str(caught.value), reads) == (message, 20)
    with pytest.raises(CheckpointError) as caught:
        read_whole(open_folder(tmp_path), restless)
    assert (str(caught.value), reads) == (message, 21)


def test_a_reader_that_fails_for_another_reason_says_so_at_once(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[")
    with pytest.raises(CheckpointError, match=r"config\.json: line 1"):
        read_whole(tmp_path, lambda folder: folder.json("config.json"))
