"""A checkpoint under a hub id, through huggingface_hub: its cache, its environment variables, its credentials."""

from pathlib import Path

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
from tfx_core.errors import HubError


class HubFolder(Folder):
    """The files of a hub id, each downloaded on first use.

    The first file that is found decides the commit, and every later file is of that commit, also when someone pushes
    in between. Raises `HubError` where it cannot be known whether a file exists.
    """

    def __init__(self, model_id: str, revision: str | None = None) -> None:
        self.model_id = model_id
        self.revision = revision
        self.label = model_id if revision is None else f"{model_id}@{revision}"
        self.commit: str | None = None
        self._found: dict[str, Path | None] = {}

    def _find(self, name: str) -> Path | None:
        if name not in self._found:
            self._found[name] = self._download(name)
        return self._found[name]

    def _download(self, name: str) -> Path | None:
        if self._known_absent(name):
            return None
        revision = self.commit or self.revision
        try:
            path = Path(huggingface_hub.hf_hub_download(self.model_id, name, revision=revision))
        except LocalEntryNotFoundError as error:  # before EntryNotFoundError, which it derives from
            offline = isinstance(error.__cause__, OfflineModeIsEnabled)
            if offline and self._cached_snapshot() is not None:
                return None  # offline, what the cache holds of a commit is all there is
            raise self._error(name, _unreachable(error, offline)) from error
        except EntryNotFoundError:
            return None
        except Exception as error:  # also those of the transport, which is requests or httpx
            raise self._error(name, _reason(error, self.model_id)) from error
        snapshot = path.parents[name.count("/")]  # …/snapshots/<commit>
        self.commit = self.commit or snapshot.name
        return path

    def _known_absent(self, name: str) -> bool:
        """Whether the cache remembers that the pinned commit lacks this file."""
        if self.commit is None:
            return False
        cached = huggingface_hub.try_to_load_from_cache(self.model_id, name, revision=self.commit)
        return cached is huggingface_hub._CACHED_NO_EXIST

    def _cached_snapshot(self) -> Path | None:
        """The folder in the cache for this revision, after the layout that huggingface_hub documents."""
        repository = Path(constants.HF_HUB_CACHE) / f"models--{self.model_id.replace('/', '--')}"
        revision = self.commit or self.revision or "main"
        reference = repository / "refs" / revision
        commit = reference.read_text().strip() if reference.is_file() else revision
        snapshot = repository / "snapshots" / commit
        return snapshot if snapshot.is_dir() else None

    def _error(self, name: str, reason: str) -> HubError:
        where = self.model_id if self.revision is None else f"{self.model_id} at revision {self.revision!r}"
        return HubError(f"{where}: {name}: {reason}")


def _unreachable(error: LocalEntryNotFoundError, offline: bool) -> str:
    if offline:
        return "is not in the cache and HF_HUB_OFFLINE is set; load it once online, or unset HF_HUB_OFFLINE"
    cause = error.__cause__ or error
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
            f"{constants.ENDPOINT} has no such model, or it is private; check the name (there is no such local folder "
            "either), and set HF_TOKEN for a private one"
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
