"""Several files that change at once: who may change them, how a killed change is undone, and what a reader checks.

A save works in folders whose names start with ``.saving-``. Whoever holds one has its lock file locked, which the
system ends with the process: a folder whose lock is free belongs to a save that was killed. While files change places,
``.saving-commit`` has what went, and a record of what went and came. As long as there is a record, the change is not
done: a reader waits for it, and whoever finds that its process was killed puts everything back.
"""

import errno
import json
import os
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from tfx_core.errors import CheckpointError, shown

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_PREFIX = ".saving-"
COMMIT = f"{_PREFIX}commit"

_RECORD = "record.json"
_LOCK = "lock"
_LONGEST_RECORD = 1_000_000  # bytes
_MOST_NAMES = 10_000
_PATIENCE = 10.0
"""Seconds to wait for another process; it needs milliseconds, unless it was stopped."""

_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_LOCK_FLAGS = os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)

Identity: TypeAlias = tuple[int, ...]


def identity(path: Path) -> Identity | None:
    """What differs when a file is another one or was written to, ``None`` where there is no plain file."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@contextmanager
def workplace(folder: Path, name: str) -> Iterator[Path]:
    """A new folder in ``folder``, held until the block ends and removed then; those of killed saves go first."""
    with suppress(OSError):
        _undo_killed(folder)
    for leftover in [*folder.glob(f"{_PREFIX}*")]:
        with suppress(OSError):
            if not leftover.is_symlink() and ((leftover / _LOCK).exists() or not any(leftover.iterdir())):
                with _held(leftover, patience=0):
                    pass
    place = folder / f"{_PREFIX}{secrets.token_hex(4)}-{name}"
    with _held(place):
        yield place


@contextmanager
def committing(folder: Path) -> Iterator[None]:
    """The right to change files of ``folder``, which one save has at a time.

    What a killed one left is undone. Raises `BlockingIOError` when another keeps it for ten seconds.
    """
    with _held(folder / COMMIT):
        _undo(folder)
        _clear(folder / COMMIT)
        yield


@contextmanager
def kept_workplace(place: Path, is_worth_keeping: Callable[[bool], bool]) -> Iterator[Path]:
    """A folder that one process holds and that outlives it: who holds it next finds what was in it.

    It is removed when the block ends, unless it is worth keeping, which is asked with whether the block came to its
    end. Raises `BlockingIOError` while another process or thread holds it.
    """
    lock = _hold(place, 0)
    is_done = False
    try:
        yield place
        is_done = True
    finally:
        is_kept = is_worth_keeping(is_done)
        if not is_kept:
            _remove_held(place)
        os.close(lock)
        if not is_kept:
            _remove_left(place)


def change(folder: Path, leaving: Sequence[str], arriving: Sequence[tuple[Path, str]]) -> None:
    """Inside of `committing`, take names away and put files or folders in place, in this order: all, or none.

    An exception undoes what was done before it; a process that is killed leaves that to the next that comes.
    """
    record, old = folder / COMMIT / _RECORD, folder / COMMIT / "old"
    draft = record.with_name("draft")
    inodes = {name: os.lstat(source).st_ino for source, name in arriving}
    draft.write_text(json.dumps({"leaving": [*leaving], "arriving": inodes}), encoding="utf-8")
    to_disk(draft)
    try:
        os.replace(draft, record)
        to_disk(record.parent)
        moves = [(folder / name, old / name) for name in leaving]
        for source, target in [*moves, *((source, folder / name) for source, name in arriving)]:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.rename(source, target)
        for place in {folder, *((folder / name).parent for _, name in arriving)}:
            to_disk(place)
    except BaseException:
        _undo(folder)
        raise
    record.unlink()
    to_disk(record.parent)  # before the old files go, or after a power failure they would be missed


def is_unfinished(folder: Path) -> bool:
    """Whether a change of the folder, or of its name, is under way or was killed."""
    return any(True for _ in _unfinished(folder))


def settle(folder: Path) -> None:
    """Wait for a change of the folder, or of its name, that is under way, and undo one that was killed.

    Raises `CheckpointError` where the first takes ten seconds, or the second cannot be done.
    """
    for place in [*_unfinished(folder)]:
        try:
            _undo_killed(place)
        except OSError as error:
            if not os.path.exists(place / COMMIT / _RECORD):
                continue  # its process came to the end meanwhile
            if isinstance(error, BlockingIOError):
                raise CheckpointError(
                    f"{folder}: is being saved by another process; load it when that is done"
                ) from error
            cure = "; load it once as a user who may write there" if error.errno in _FORBIDDEN else ""
            raise CheckpointError(
                f"{folder}: a save was killed half-way, and what it left in {place / COMMIT} cannot be undone: "
                f"{error.strerror or error}{cure}"
            ) from error


def to_disk(path: Path) -> None:
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


def _unfinished(folder: Path) -> Iterator[Path]:
    """The folder if its files are being changed, its parent if its name is."""
    if os.path.exists(folder / COMMIT / _RECORD):
        yield folder
    parent = Path(os.path.realpath(folder)).parent
    if os.path.exists(parent / COMMIT / _RECORD) and _is_trusted(parent):
        yield parent


def _is_trusted(folder: Path) -> bool:
    """Whether the record is of this user or the folder's: in /tmp, anybody may write one."""
    with suppress(FileNotFoundError):  # its save came to the end in this moment
        return os.name == "nt" or _owner(folder / COMMIT / _RECORD) in (os.geteuid(), _owner(folder))
    return False


def _owner(path: Path) -> int:
    return path.stat().st_uid


def _undo_killed(folder: Path) -> None:
    if os.path.exists(folder / COMMIT / _RECORD):
        with committing(folder):
            pass


def _undo(folder: Path) -> None:
    """Take back a change that did not come to its end; it may have been begun to be taken back before.

    Only what the change itself had put in place is removed. What somebody wrote there since, or a record that came with
    somebody's files, raises `OSError` before anything is done.
    """
    record, old = folder / COMMIT / _RECORD, folder / COMMIT / "old"
    if not record.exists():
        return
    leaving, arriving = _read_record(folder)
    to_undo = [name for name in {**arriving, **leaving} if os.path.lexists(old / name) or name not in leaving]
    for name in to_undo:
        if os.path.lexists(folder / name) and os.lstat(folder / name).st_ino != arriving.get(name):
            raise OSError(
                errno.EEXIST,
                f"{shown(name)} is not what that save put there; delete {COMMIT!r} to keep what is there now",
            )
    for name in to_undo:
        _remove(folder / name)
        if os.path.lexists(old / name):
            os.rename(old / name, folder / name)
    to_disk(folder)
    record.unlink()
    to_disk(record.parent)


def _clear(place: Path) -> None:
    for path in [*place.iterdir()]:
        if path.name != _LOCK:
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _read_record(folder: Path) -> tuple[Mapping[str, None], Mapping[str, int]]:
    """What went, and what came with its inode. A stranger may have made it: no name in it leads out of the folder."""
    record, old = folder / COMMIT / _RECORD, folder / COMMIT / "old"
    if not _is_trusted(folder):
        raise PermissionError(errno.EPERM, "it is another user's")
    try:
        if identity(record) is None or record.stat().st_size > _LONGEST_RECORD:
            raise ValueError
        values = json.loads(record.read_bytes())
        leaving, arriving = dict.fromkeys(values["leaving"]), dict(values["arriving"])
        if len(leaving) + len(arriving) > _MOST_NAMES:
            raise ValueError
        for name in (*leaving, *arriving):
            path = PurePosixPath(name)
            links = [folder / COMMIT, *(old / part for part in path.parents), *(folder / part for part in path.parents)]
            if path.is_absolute() or ".." in path.parts or "\\" in name or not path.name:
                raise ValueError
            if any(link.is_symlink() for link in links if link != folder):
                raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise OSError(errno.EINVAL, f"its {_RECORD} was not written by a save; delete it") from error
    return leaving, arriving


@contextmanager
def _held(place: Path, *, patience: float | None = None) -> Iterator[None]:
    """Hold a folder, made if need be, against all other processes and threads; at the end it is removed.

    One with a record stays: it has what is to be undone. Raises `BlockingIOError` when another holds it for longer than
    ``patience`` seconds.
    """
    lock = _hold(place, _PATIENCE if patience is None else patience)
    try:
        yield
    finally:
        if not (place / _RECORD).exists():
            _remove_held(place)
        os.close(lock)
        _remove_left(place)


def _remove_held(place: Path) -> None:
    with suppress(OSError):
        _clear(place)  # the lock goes last, for it tells others that they may remove the rest
    shutil.rmtree(place, ignore_errors=True)  # while it is locked, or it could be another's by now


def _remove_left(place: Path) -> None:
    if os.name == "nt":  # where an open file cannot be removed
        (place / _LOCK).unlink(missing_ok=True)
        with suppress(OSError):
            place.rmdir()


def _hold(place: Path, patience: float) -> int:
    """The descriptor that holds the lock of a folder."""
    end = time.monotonic() + patience
    while True:
        is_new = _make(place)
        lock = _open_lock(place / _LOCK)
        if lock is not None:
            if _lock(lock, is_new) and _is_at(lock, place / _LOCK):
                return lock
            os.close(lock)
        if time.monotonic() >= end:
            raise BlockingIOError(errno.EAGAIN, "another process is saving there")
        time.sleep(0.002)


def _make(place: Path) -> bool:
    """Whether the folder was not there before."""
    try:
        place.mkdir()
    except FileExistsError:
        if place.is_symlink():  # what it points to is not for us to clear
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place)) from None
        return False
    return True


def _open_lock(path: Path) -> int | None:
    """The lock file, ``None`` where its folder was removed in this moment."""
    try:
        return os.open(path, _LOCK_FLAGS | os.O_RDWR, 0o666)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in _FORBIDDEN:
            raise
        return os.open(path, os.O_RDONLY)  # enough to see whether its process is alive


def _is_at(lock: int, path: Path) -> bool:
    """Whether the file is still there under its name: the one who held it before removes it."""
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False


def _lock(lock: int, is_new: bool) -> bool:
    """Whether the lock could be had. Where the file system has none, a folder belongs to the one who made it."""
    if sys.platform == "win32":
        try:
            msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return is_new
    return True
