"""Files and folders that are replaced whole or not at all.

What is new is written in a folder beside the old whose name starts with ``.saving-``, forced to the disk and renamed.
An exception, `KeyboardInterrupt` included, removes it and leaves the old as it was. What a killed process leaves behind
is removed by the next save of the same place; if it was between renames, the next load or save undoes them
(`tfx_core.checkpoint.journal`). Several writers of one place come one after the other, each whole. Errors that leave a
block name the place that its caller named.
"""

import ctypes
import errno
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tfx_core.checkpoint.journal import COMMIT, change, committing, to_disk, workplace
from tfx_core.errors import TfxError

_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file name; what the block writes there takes the place of ``path`` when the block ends.

    A reader sees the old file or the new one, also after a power failure, and whoever has the old one open or mapped
    keeps it. The temporary name ends like the real one. What is no file to be replaced, a device or a pipe, is written
    to as it is; so is ``/dev/stdout``.
    """
    path = Path(os.path.expanduser(path))
    if (path.exists() and not (path.is_file() or path.is_dir())) or _is_open_file(path):
        yield path
        return
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    with _working_on(path, path.parent, stands_for=path.parent) as folder:
        new = folder / path.name
        yield new
        to_disk(new)
        os.replace(new, path)
        to_disk(path.parent)


def _is_open_file(path: Path) -> bool:
    """Whether a path names a file that a process has open, as ``/dev/stdout`` does."""
    named = os.readlink(path) if path.is_symlink() else ""
    return named.startswith("/proc/") or os.path.realpath(path.parent).startswith("/proc/")


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A temporary empty folder; it takes the place of ``path`` with all that the block put into it.

    A new folder appears whole in one step. An existing one is exchanged in one step where the system can (Linux); where
    it cannot, there is a moment in which ``path`` does not exist. A symbolic link stays one: the folder that it points
    to is replaced.
    """
    real = Path(os.path.realpath(os.path.expanduser(path)))
    real.parent.mkdir(parents=True, exist_ok=True)
    with _working_on(path, real.parent, stands_for=path) as new:
        yield new
        _tree_to_disk(new)
        if real.exists() or not _took_its_name(new, real):
            shutil.copymode(real, new)
            _exchange(new, real)
        to_disk(real.parent)


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
    are the first to go and the last to come. A reader of ours waits meanwhile, and sees all of the old or all of the
    new; another one that begins with the very last of them (``config.json``) finds an error at worst.

    An exception puts everything back, and a process that was killed is as if it had not begun.
    """
    real = Path(os.path.realpath(os.path.expanduser(folder)))
    is_new = not real.exists()
    real.parent.mkdir(parents=True, exist_ok=True)
    with _working_on(folder, real.parent if is_new else real, stands_for=folder) as new:
        yield new
        _tree_to_disk(new)
        if not (is_new and _took_its_name(new, real)):
            _put_in_place(new, real, stale, last)
        to_disk(real.parent if is_new else real)


@contextmanager
def save_errors(path: str | os.PathLike[str], kind: type[TfxError]) -> Iterator[None]:
    """A disk that is full, or a folder that cannot be written, as one error of ours that names ``path``.

    So is what no file can have: no name at all, one with a NUL, half of a surrogate pair.
    """
    if not os.fspath(path):
        raise kind("an empty string names no place to save to; give a folder, '.' for the current one")
    try:
        if "\0" in str(path):
            raise OSError(errno.EINVAL, "no file can have this name")
        yield
    except TfxError:
        raise
    except (OSError, UnicodeEncodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else error.reason) or error
        if isinstance(error, NotADirectoryError | FileExistsError):
            reason = f"{reason}{_file_in_the_way(path)}"
        raise kind(f"{path}: could not be saved: {reason}; what was there before is unchanged") from error


def _file_in_the_way(path: str | os.PathLike[str]) -> str:
    place = Path(os.path.expanduser(path))
    files = (each for each in (place, *place.parents) if each.is_file())
    return next((f": {each} is a file" for each in files), "")


@contextmanager
def _working_on(path: Path, beside: Path, *, stands_for: Path) -> Iterator[Path]:
    """A new folder in ``beside``, ``stands_for`` the one that ``path`` was given in; errors speak of these two."""
    names = {str(beside / COMMIT): str(path)}
    try:
        with workplace(beside, path.name) as work:
            new = work / "new"
            names = {str(new): str(stands_for), str(work): str(path)} | names
            new.mkdir()
            yield new
    except Exception as error:
        for ours, theirs in names.items():
            _speak_of(error, ours, theirs)
        raise


def _speak_of(error: Exception, place: str, path: str) -> None:
    """Let an error name one path instead of another."""
    error.args = tuple(each.replace(place, path) if isinstance(each, str) else each for each in error.args)
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes | os.PathLike):
        error.filename = os.fsdecode(error.filename).replace(place, path)


def _took_its_name(new: Path, path: Path) -> bool:
    """Give a new folder its name in one step; False where there is one of this name with files in it."""
    try:
        os.rename(new, path)
    except OSError:
        if path.is_dir():
            return False
        raise
    return True


def _put_in_place(
    new: Path,
    folder: Path,
    stale: Callable[[Collection[str], Collection[str]], Iterable[str]],
    last: Sequence[str],
) -> None:
    written = sorted(_files(new), key=lambda name: (last.index(name) if name in last else -1, name))
    with committing(folder):
        present = {path.name for path in folder.iterdir() if path.is_file()}
        obsolete = sorted({name for name in stale(present, written) if (folder / name).is_file()} - set(written))
        if len(written) == 1 and not obsolete:
            (folder / written[0]).parent.mkdir(parents=True, exist_ok=True)
            os.replace(new / written[0], folder / written[0])
            return
        leaving = [name for name in [*reversed(written), *obsolete] if os.path.lexists(folder / name)]
        for name in leaving:
            if (folder / name).is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(folder / name))
        change(folder, leaving, [(new / name, name) for name in written])


def _exchange(new: Path, path: Path) -> None:
    """Let a folder take the place of another, in one step where the system and the file system can."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    if rename is None or rename(_HERE, os.fsencode(new), _HERE, os.fsencode(path), _EXCHANGE) != 0:
        with committing(path.parent):
            change(path.parent, [path.name], [(new, path.name)])


def _files(folder: Path) -> Iterator[str]:
    """Names of all files below a folder, relative to it."""
    return (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def _tree_to_disk(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        to_disk(path)
