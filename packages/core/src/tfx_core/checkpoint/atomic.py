"""Files and folders that are replaced whole or not at all.

What is new is written beside the old under a name that starts with ``.saving-``, forced to the disk and renamed. An
exception, `KeyboardInterrupt` included, removes it and leaves the old as it was. A process that is killed may leave the
``.saving-`` names behind; nothing reads them, and they can be deleted once the saved folder loads.
"""

import ctypes
import os
import secrets
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = ".saving-"
_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file name; what the block writes there takes the place of ``path`` when the block ends.

    A reader sees the old file or the new one, also after a power failure, and whoever has the old one open or mapped
    keeps it. The temporary name ends like the real one.
    """
    temporary = _beside(path)
    try:
        yield temporary
        _to_disk(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _to_disk(path.parent)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A temporary empty folder; it takes the place of ``path`` with all that the block put into it.

    A new folder appears whole in one step. An existing one is exchanged in one step where the system can (Linux); where
    it cannot, there is a moment in which ``path`` does not exist, and a process killed in that moment leaves the old
    folder under a ``.saving-`` name. A symbolic link stays one: the folder that it points to is replaced.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = _beside(path)
    try:
        fresh.mkdir()
        yield fresh
        _tree_to_disk(fresh)
        if path.exists():
            shutil.copymode(path, fresh)
            _exchange(fresh, path)
        else:
            os.rename(fresh, path)
        _to_disk(path.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)  # after an exchange this is the old folder


@contextmanager
def replacing_files(
    folder: Path,
    *,
    stale: Callable[[Collection[str], Collection[str]], Iterable[str]] = lambda old, new: (),
    last: Sequence[str] = (),
) -> Iterator[Path]:
    """A temporary empty folder; the files that the block writes there replace those of the same names in ``folder``.

    Other files stay, except what ``stale(names in the folder, names written)`` gives, which is removed. A folder that
    does not exist yet appears whole in one step, and a single file is replaced in one step. Several files of an
    existing folder cannot be: the old ones are taken away, then the new ones put in place, and the names in ``last``
    are the first to go and the last to come. So a reader that begins with the very last of them (``config.json``)
    finds all of the old, all of the new, or an error; one that is already under way may meet files of both.

    An exception puts everything back. A process killed during these renames, which take milliseconds, leaves a folder
    that does not load and has the old and the new files in its ``.saving-`` subfolder.
    """
    if not folder.exists():
        with replacing_folder(folder) as fresh:
            yield fresh
        return
    work = _beside(folder / "files")
    new, old = work / "new", work / "old"
    try:
        new.mkdir(parents=True)
        yield new
        _tree_to_disk(new)
        _put_in_place(new, old, folder, stale, last)
        _to_disk(folder)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        if not any(_files(work)):  # else the way back was cut off too, and these are the only copies
            shutil.rmtree(work, ignore_errors=True)
        raise
    shutil.rmtree(work, ignore_errors=True)


def _put_in_place(
    new: Path,
    old: Path,
    folder: Path,
    stale: Callable[[Collection[str], Collection[str]], Iterable[str]],
    last: Sequence[str],
) -> None:
    written = sorted(_files(new), key=lambda name: (last.index(name) if name in last else -1, name))
    present = {path.name for path in folder.iterdir() if path.is_file()}
    obsolete = sorted((set(stale(present, written)) & present) - set(written))
    if len(written) == 1 and not obsolete:
        (folder / written[0]).parent.mkdir(parents=True, exist_ok=True)
        os.replace(new / written[0], folder / written[0])
        return
    leaving = [name for name in [*reversed(written), *obsolete] if os.path.lexists(folder / name)]
    _move_all([(folder / name, old / name) for name in leaving] + [(new / name, folder / name) for name in written])


def _move_all(moves: Sequence[tuple[Path, Path]]) -> None:
    """Rename all, or after an exception none."""
    begun: list[tuple[Path, Path]] = []
    try:
        for source, target in moves:
            target.parent.mkdir(parents=True, exist_ok=True)
            begun.append((source, target))  # before the rename, for an interrupt may come right after it
            os.rename(source, target)
    except BaseException:
        for source, target in reversed(begun):
            if os.path.lexists(target) and not os.path.lexists(source):
                os.rename(target, source)
        raise


def _exchange(one: Path, other: Path) -> None:
    """Let two folders change names, in one step where the system and the file system can."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    if rename is None or rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) != 0:
        aside = _beside(other)
        _move_all([(other, aside), (one, other), (aside, one)])


def _beside(path: Path) -> Path:
    return path.with_name(f"{_PREFIX}{secrets.token_hex(4)}-{path.name}")


def _files(folder: Path) -> Iterator[str]:
    """Names of all files below a folder, relative to it."""
    return (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def _tree_to_disk(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        _to_disk(path)


def _to_disk(path: Path) -> None:
    """Wait until a file's data, or a folder's names, would survive a power failure."""
    if path.is_dir():
        with suppress(OSError):  # not every system and file system lets a folder be synchronised
            _synchronise(path, os.O_RDONLY)
    else:
        _synchronise(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)


def _synchronise(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
