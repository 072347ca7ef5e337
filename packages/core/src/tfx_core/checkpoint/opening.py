"""From what a caller names, a path or a hub id, to the folder of a checkpoint."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tfx_core.checkpoint.folder import Folder, LocalFolder
from tfx_core.checkpoint.journal import settle
from tfx_core.errors import CheckpointError

_Read = TypeVar("_Read")

_ATTEMPTS = 20
"""How often a folder is read again that changed meanwhile; one save of ours costs one."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def open_folder(path_or_id: str | os.PathLike[str], *, revision: str | None = None) -> Folder:
    """The checkpoint at a local path or under a hub id such as ``"google-t5/t5-small"``.

    A path that exists never touches the network, and a path that does not exist is never looked up on the hub: neither
    a `pathlib.Path` nor a string that starts with ``/``, ``./``, ``../`` or ``~`` or has two slashes. ``revision`` (a
    branch, tag or commit) is for hub ids. Raises `CheckpointError`.
    """
    text = os.fspath(path_or_id)
    if not text:
        raise CheckpointError("an empty string names no checkpoint; give a folder or a hub id such as 'org/name'")
    path = Path(os.path.expanduser(text))  # keeps an unknown ~user, where Path.expanduser raises RuntimeError
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        settle(path)  # its name may be changing
    except (OSError, ValueError) as error:  # no access, or what cannot be a name: too long, with a NUL
        reason = error.strerror if isinstance(error, OSError) else "no file can have this name"
        raise CheckpointError(f"{text}: cannot be opened: {reason}") from error
    if path.is_dir():
        if revision is not None:
            raise CheckpointError(f"{path}: is a local folder and has no revision {revision!r}; leave revision out")
        return LocalFolder(path)
    if path.exists():
        raise CheckpointError(f"{path}: is a file; give the folder that holds config.json and the weights")
    if not isinstance(path_or_id, str) or _looks_like_a_path(text):
        raise CheckpointError(f"{path}: there is no such folder")
    if not _HUB_ID.fullmatch(text):
        raise CheckpointError(f"{text!r}: there is no such folder, and a hub id reads 'name' or 'org/name'")

    from tfx_core.checkpoint.hub import HubFolder  # imports huggingface_hub, which a local folder never needs

    return HubFolder(text, revision)


def read_whole(
    source: str | os.PathLike[str] | Folder, read: Callable[[Folder], _Read], *, revision: str | None = None
) -> _Read:
    """What ``read`` makes of a checkpoint, of whose files none was replaced meanwhile: they are of one save.

    ``read`` opens all that it needs; a file that is mapped or read may then be replaced. Where one was replaced before,
    also where that led to an error, ``read`` is called again with the folder opened afresh. Raises `CheckpointError`
    when that does not end, or at once for a `Folder` that was open already, beside what ``read`` raises.
    """
    error: Exception | None = None
    for _ in range(_ATTEMPTS):
        folder = source if isinstance(source, Folder) else open_folder(source, revision=revision)
        try:
            result = read(folder)
        except Exception as caught:
            if folder.unchanged():
                raise
            error = caught
        else:
            if folder.unchanged():
                return result
        if folder is source:
            break
    raise CheckpointError(
        f"{folder.label}: its files were replaced while they were read; open it again when nothing writes to it"
    ) from error


def _looks_like_a_path(text: str) -> bool:
    return text.startswith(("/", "./", "../", "~")) or text.count("/") > 1
