"""From what a caller names, a path or a hub id, to the folder of a checkpoint."""

import os
import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack, cast

from tfx_core.checkpoint.folder import Folder, LocalFolder, Subfolder
from tfx_core.checkpoint.journal import settle
from tfx_core.errors import CheckpointError, in_one_line, shown
from tfx_core.habits.nearest import similar

_Read = TypeVar("_Read")

_ATTEMPTS = 20
"""How often a folder is read again that changed meanwhile; one save of ours costs one."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


_MOST_NEIGHBOURS = 10_000
"""Folders that are looked at for a name like the one that is not there."""


class HubOptions(TypedDict, total=False):
    """Where in a hub a checkpoint is, and how its files come from there.

    Of a local folder ``subfolder`` alone has a meaning, and a ``revision`` but ``"main"`` is an error.
    """

    revision: str | None
    """A branch, a tag or a commit."""
    subfolder: str | None
    """The folder in the checkpoint that is meant, with all its files."""
    cache_dir: str | os.PathLike[str] | None
    """Where downloaded files are kept; by default huggingface_hub decides."""
    token: str | bool | None
    """The credentials; by default those that huggingface_hub has, none with ``False``."""
    local_files_only: bool
    """Take what the cache has, and do not ask the hub."""
    force_download: bool
    """Download each file again."""


def taken_hub_options(keywords: dict[str, Any]) -> HubOptions:
    """The options among the keywords of a call, out of which they are taken."""
    return cast(HubOptions, {name: keywords.pop(name) for name in HubOptions.__annotations__ if name in keywords})


def open_folder(path_or_id: str | os.PathLike[str], **options: Unpack[HubOptions]) -> Folder:
    """The checkpoint at a local path or under a hub id such as ``"google-t5/t5-small"``.

    A path that exists never touches the network, and a path that does not exist is never looked up on the hub: neither
    a `pathlib.Path` nor a string that starts with ``/``, ``./``, ``../`` or ``~`` or has two slashes. Raises
    `CheckpointError`.
    """
    text, subfolder = _text(path_or_id), (options.get("subfolder") or "").strip("/")
    if text.startswith(("https://", "http://")):
        raise CheckpointError(f"{text}: is an address; give the hub id alone, 'org/name' or 'name'")
    path = Path(os.path.expanduser(text))  # keeps an unknown ~user, where Path.expanduser raises RuntimeError
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        settle(path)  # its name may be changing
    except (OSError, ValueError) as error:  # no access, or what cannot be a name: too long, with a NUL
        reason = error.strerror if isinstance(error, OSError) else "no file can have this name"
        raise CheckpointError(f"{text}: cannot be opened: {reason}") from error
    if path.is_dir():
        revision = options.get("revision")
        if revision not in (None, "main"):
            raise CheckpointError(f"{path}: is a local folder and has no revision {revision!r}; leave revision out")
        return open_folder(path / subfolder) if subfolder else LocalFolder(path)
    if path.exists():
        raise CheckpointError(f"{path}: is a file; give the folder that holds config.json and the weights")
    if not isinstance(path_or_id, str) or _looks_like_a_path(text):
        raise CheckpointError(f"{path}: there is no such folder{_similar_folders(path)}")
    if not _HUB_ID.fullmatch(text):
        reason = f"there is no such folder{_similar_folders(path)}, and a hub id reads 'name' or 'org/name'"
        raise CheckpointError(f"{text!r}: {reason}")

    from tfx_core.checkpoint.hub import HubFolder  # imports huggingface_hub, which a local folder never needs

    folder = HubFolder(text, options, lambda: f"there is no folder of this name here{_similar_folders(path)}")
    return Subfolder(folder, subfolder) if subfolder else folder


def _text(path_or_id: object) -> str:
    text = os.fspath(path_or_id) if isinstance(path_or_id, str | os.PathLike) else None
    if not isinstance(text, str) or not text:
        named = "an empty string" if text == "" else shown(path_or_id)
        raise CheckpointError(f"{named} names no checkpoint; give a folder or a hub id such as 'org/name'")
    return text


def read_whole(
    source: str | os.PathLike[str] | Folder, read: Callable[[Folder], _Read], **options: Unpack[HubOptions]
) -> _Read:
    """What ``read`` makes of a checkpoint, of whose files none was replaced meanwhile: they are of one save.

    ``read`` opens all that it needs; a file that is mapped or read may then be replaced. Where one was replaced before,
    also where that led to an error, ``read`` is called again with the folder opened afresh. Raises `CheckpointError`
    when that does not end, or at once for a `Folder` that was open already, beside what ``read`` raises.
    """
    error: Exception | None = None
    for _ in range(_ATTEMPTS):
        folder = source if isinstance(source, Folder) else open_folder(source, **options)
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


def _similar_folders(path: Path) -> str:
    """Of a path that is not there, what is there of a similar name, in the folder that the first lacking part is in."""
    lacking = path
    while not lacking.parent.exists() and lacking.parent != lacking:
        lacking = lacking.parent
    try:
        with os.scandir(lacking.parent) as entries:
            there = [entry.name for entry in islice(entries, _MOST_NEIGHBOURS) if entry.is_dir()]
    except OSError:
        return ""
    alike = [str(lacking.parent / name) for name in similar(lacking.name, there)]
    return f"; similar folders: {', '.join(in_one_line(each, 200) for each in alike)}" if alike else ""
