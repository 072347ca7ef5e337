"""A hub on the loopback interface: the part of its HTTP interface that downloading a file uses."""

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Repository:
    """Commits by name, each with its files; the newest commit is what ``main`` stands for."""

    commits: dict[str, dict[str, bytes]]
    tags: dict[str, str] = field(default_factory=dict)
    status: int = 200
    """What every request is answered with, if not 200."""

    error_code: str = ""

    def commit(self, revision: str) -> str | None:
        if revision == "main":
            return list(self.commits)[-1]
        revision = self.tags.get(revision, revision)
        return revision if revision in self.commits else None


class HubServer:
    """Serves ``repositories`` and notes ``requests``.

    The first download of a file is cut after ``cut_after[file]`` bytes, and ``afterwards[file]`` is called after it.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[str] = []
        self.tokens: set[str | None] = set()
        self.cut_after: dict[str, int] = {}
        self.afterwards: dict[str, Callable[[], object]] = {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                server._answer(self, with_body=False)

            def do_GET(self) -> None:
                server._answer(self, with_body=True)

            def log_message(self, *args: object) -> None:  # type: ignore[override]  # the base class names one
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._http.server_port}"

    @contextmanager
    def running(self) -> Iterator["HubServer"]:
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def _answer(self, request: BaseHTTPRequestHandler, *, with_body: bool) -> None:
        self.requests.append(f"{request.command} {request.path} {request.headers.get('Range', '')}".strip())
        self.tokens.add(request.headers.get("Authorization"))
        model, _, rest = request.path.lstrip("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        status, headers, data = self._look_up(model, revision, name)
        first = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        if status == 200 and first:
            status, headers["Content-Range"] = 206, f"bytes {first}-{len(data) - 1}/{len(data)}"
        cut = self.cut_after.pop(name, None) if with_body else None
        _send(request, status, headers, data[first:], cut, with_body=with_body)
        if with_body:
            self.afterwards.pop(name, lambda: None)()

    def _look_up(self, model: str, revision: str, name: str) -> tuple[int, dict[str, str], bytes]:
        repository = self.repositories.get(model)
        if repository is None:
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        if repository.status != 200:
            return repository.status, {"X-Error-Code": repository.error_code}, b""
        commit = repository.commit(revision)
        if commit is None:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        data = repository.commits[commit].get(name)
        if data is None:
            return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}, b""
        return 200, {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha256(data).hexdigest()}"'}, data


def _send(
    request: BaseHTTPRequestHandler,
    status: int,
    headers: dict[str, str],
    data: bytes,
    cut: int | None,
    *,
    with_body: bool,
) -> None:
    request.send_response(status)
    for name, value in headers.items():
        if value:
            request.send_header(name, value)
    request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    if with_body:
        request.wfile.write(data if cut is None else data[:cut])
    if cut is not None:
        request.close_connection = True
        request.connection.shutdown(socket.SHUT_RDWR)
