"""A checkpoint under a hub id, through huggingface_hub: its cache, its environment variables, its credentials."""

import os
import socket
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tfx_core.checkpoint.folder import Folder
from tfx_core.checkpoint.opening import HubOptions
from tfx_core.errors import HubError

_PATIENCE = 2.0
"""Seconds in which the hub's host must take a connection; huggingface_hub would try again for half a minute."""


class HubFolder(Folder):
    """The files of a hub id, each downloaded on first use.

    The first file that is found decides the commit, and every later file is of that commit, also when someone pushes
    in between. Raises `HubError` where it cannot be known whether a file exists.
    """

    def __init__(self, model_id: str, options: HubOptions, otherwise: Callable[[], str]) -> None:
        self.model_id = model_id
        self.options = options
        self.otherwise = otherwise
        """What else there is to say where nothing of this id is found."""
        self.revision = options.get("revision")
        self.label = model_id if self.revision is None else f"{model_id}@{self.revision}"
        self.commit: str | None = None
        self._found: dict[str, Path | None] = {}

    def _find(self, name: str) -> Path | None:
        if name not in self._found:
            self._found[name] = self._download(name)
        return self._found[name]

    def _download(self, name: str) -> Path | None:
        if self._known_absent(name):
            return None
        here = self.options.get("local_files_only", False)
        fault = None if here or constants.HF_HUB_OFFLINE else self._fault
        try:
            path = Path(
                huggingface_hub.hf_hub_download(
                    self.model_id,
                    name,
                    revision=self.commit or self.revision,
                    cache_dir=self._cache,
                    token=self.options.get("token"),
                    force_download=self.options.get("force_download", False) and fault is None,
                    local_files_only=here or fault is not None,
                )
            )
        except LocalEntryNotFoundError as error:  # before EntryNotFoundError, which it derives from
            offline = here or isinstance(error.__cause__, OfflineModeIsEnabled)
            if offline and self._cached_snapshot() is not None:
                return None  # offline, what the cache holds of a commit is all there is
            raise self._error(name, _unreachable(fault or error.__cause__ or error, offline, here)) from None
        except EntryNotFoundError:
            return None
        except Exception as error:  # also those of the transport, which is requests or httpx
            raise self._error(name, _reason(error, self.model_id)) from None
        snapshot = path.parents[name.count("/")]  # …/snapshots/<commit>
        self.commit = self.commit or snapshot.name
        return path

    def _known_absent(self, name: str) -> bool:
        """Whether the cache remembers that the pinned commit lacks this file."""
        if self.commit is None:
            return False
        cached = huggingface_hub.try_to_load_from_cache(self.model_id, name, self._cache, revision=self.commit)
        return cached is huggingface_hub._CACHED_NO_EXIST

    def _cached_snapshot(self) -> Path | None:
        """The folder in the cache for this revision, after the layout that huggingface_hub documents."""
        repository = Path(self._cache or constants.HF_HUB_CACHE) / f"models--{self.model_id.replace('/', '--')}"
        revision = self.commit or self.revision or "main"
        reference = repository / "refs" / revision
        commit = reference.read_text().strip() if reference.is_file() else revision
        snapshot = repository / "snapshots" / commit
        return snapshot if snapshot.is_dir() else None

    def _error(self, name: str, reason: str) -> HubError:
        where = self.model_id if self.revision is None else f"{self.model_id} at revision {self.revision!r}"
        otherwise = f"; {self.otherwise()}" if self.commit is None else ""
        return HubError(f"{where}: {name}: {reason}{otherwise}")

    @property
    def _cache(self) -> str | None:
        cache = self.options.get("cache_dir")
        return None if cache is None else os.path.expanduser(cache)

    @cached_property
    def _fault(self) -> Exception | None:
        """Why the hub's host cannot be reached, asked once; ``None`` where it can, or a proxy does it."""
        address = urlsplit(constants.ENDPOINT)
        host, port = address.hostname or "", address.port or (443 if address.scheme == "https" else 80)
        if {address.scheme, "all"} & getproxies().keys() and not proxy_bypass(host):
            return None
        faults: list[Exception] = [TimeoutError(f"no answer within {_PATIENCE:g} seconds")]
        # in a thread, for nothing limits how long a name is looked up
        attempt = Thread(target=_connect, args=(host, port, faults), daemon=True)
        attempt.start()
        attempt.join(_PATIENCE)
        return faults[-1] if faults else None


def _connect(host: str, port: int, faults: list[Exception]) -> None:
    """Clear the list of faults where the host takes a connection, else add why it does not."""
    try:
        socket.create_connection((host, port), timeout=_PATIENCE).close()
    except OSError as error:
        faults.append(error)
    else:
        faults.clear()


def _unreachable(cause: BaseException, offline: bool, here: bool) -> str:
    if offline:
        setting, cure = ("local_files_only=True", "leave it out") if here else ("HF_HUB_OFFLINE is set", "unset it")
        return f"is not in the cache and {setting}; load it once online, or {cure}"
    response = getattr(cause, "response", None)
    if response is not None:
        return f"is not in the cache and {constants.ENDPOINT} answered {response.status_code}; try again later"
    root = _one_line(_root(cause))
    return f"is not in the cache and {constants.ENDPOINT} cannot be reached; check the connection ({root})"


def _reason(error: Exception, model_id: str) -> str:
    if isinstance(error, GatedRepoError):
        return f"access is gated; accept the terms at {constants.ENDPOINT}/{model_id} and set HF_TOKEN"
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"{constants.ENDPOINT} has no such model, or it is private; check the name, and set HF_TOKEN or give "
            "token= for a private one"
        )
    if isinstance(error, RevisionNotFoundError):
        return "there is no such revision; give a branch, a tag or a full commit"
    if isinstance(error, HFValidationError):
        return _one_line(error)
    if isinstance(error, HfHubHTTPError):
        status = "nothing usable" if error.response is None else error.response.status_code
        cure = "set HF_TOKEN to a valid token" if status in (401, 403) else "try again later"
        return f"{constants.ENDPOINT} answered {status}; {cure}"
    return f"the download failed; load it again ({_one_line(error)})"


def _root(error: BaseException) -> BaseException:
    """What an error began with: several libraries have wrapped it on its way here."""
    below = error.__cause__ or error.__context__
    return error if below is None else _root(below)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text if len(text) < 200 else text[:200] + '…'}"
