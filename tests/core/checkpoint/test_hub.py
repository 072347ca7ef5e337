"""Hub ids, against a server on the loopback interface and in fresh processes, for huggingface_hub reads its environment
when it is imported."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.core.checkpoint.hub_server import HubServer, Repository

OLD, NEW = "a" * 40, "b" * 40
WEIGHTS = bytes(range(256)) * 1000
FILES = {"config.json": b'{"version": 2}', "weights.bin": WEIGHTS, "1_Pooling/config.json": b"{}"}

LOADS = """
import json, sys, time
time.sleep = lambda seconds: None  # huggingface_hub waits between attempts
from tfx_core.checkpoint import open_folder
from tfx_core.errors import TfxError
for model, options, names in json.loads(sys.argv[1]):
    options = options if isinstance(options, dict) else {"revision": options}
    try:
        folder = open_folder(model, **options)
        paths = [folder.path(name) for name in names]
        print(json.dumps({"paths": [path and str(path) for path in paths], "commit": vars(folder).get("commit")}))
    except TfxError as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
"""


@dataclass
class Client:
    server: HubServer
    home: Path
    folder: Path
    """Where it is run."""
    stderr: str = ""

    def load(
        self, *loads: tuple[str, str | dict[str, Any] | None, list[str]], **environment: str
    ) -> list[dict[str, Any]]:
        """(model, revision or options, files) one after the other in one process."""
        own = {name: value for name, value in os.environ.items() if not name.lower().startswith(("hf_", "no_proxy"))}
        here = {"NO_PROXY": "127.0.0.1", "HF_HOME": str(self.home), "HF_ENDPOINT": self.server.endpoint}
        variables = {**own, **here, **environment}
        self.server.requests.clear()
        done = subprocess.run(
            [sys.executable, "-c", LOADS, json.dumps(loads)],
            env=variables,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        self.stderr = done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    @property
    def downloads(self) -> list[str]:
        return [each for each in self.server.requests if each.startswith("GET") and "/resolve/" in each]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with HubServer().running() as server:
        server.repositories["org/model"] = Repository(
            {OLD: {**FILES, "config.json": b'{"version": 1}'}, NEW: dict(FILES)}, tags={"v1": OLD}
        )
        yield Client(server, tmp_path / "home", tmp_path)


def test_files_are_downloaded_once_and_silently(client: Client) -> None:
    names = ["config.json", "absent.json", "1_Pooling/config.json", "weights.bin"]
    first, other = client.load(("org/model", None, names), ("org/model", None, names))
    assert first == other
    assert [path and Path(path).read_bytes() for path in first["paths"]] == [FILES.get(name) for name in names]
    assert len(client.downloads) == 3
    assert client.stderr == ""

    assert client.load(("org/model", None, names)) == [first]
    assert client.downloads == []
    looked_at = [each for each in client.server.requests if "/resolve/" in each]
    assert looked_at == ["HEAD /org/model/resolve/main/config.json"]  # is there a newer commit? the rest is known


def test_a_revision_selects_the_commit(client: Client) -> None:
    tag, commit, wrong = client.load(
        ("org/model", "v1", ["config.json"]), ("org/model", NEW, ["config.json"]), ("org/model", "v9", ["config.json"])
    )
    assert (tag["commit"], Path(tag["paths"][0]).read_bytes()) == (OLD, b'{"version": 1}')
    assert (commit["commit"], Path(commit["paths"][0]).read_bytes()) == (NEW, b'{"version": 2}')
    assert "org/model at revision 'v9': config.json: there is no such revision" in wrong["error"]


def test_all_files_are_of_one_commit_though_someone_pushes_meanwhile(client: Client) -> None:
    pushed = {"config.json": b'{"version": 3}', "weights.bin": b"other"}
    commits = client.server.repositories["org/model"].commits
    client.server.afterwards["config.json"] = lambda: commits.update({"c" * 40: pushed})
    (load,) = client.load(("org/model", None, ["config.json", "weights.bin"]))
    assert load["commit"] == NEW
    assert Path(load["paths"][1]).read_bytes() == WEIGHTS


def test_offline_the_cache_is_all_there_is(client: Client) -> None:
    client.load(("org/model", None, ["config.json"]), ("org/model", "v1", ["weights.bin"]))
    asked = ["absent.json", "config.json"]
    main, tag, unknown = client.load(
        ("org/model", None, asked), ("org/model", "v1", ["weights.bin"]), ("org/other", None, asked), HF_HUB_OFFLINE="1"
    )
    assert main["commit"] == NEW
    assert main["paths"][0] is None
    assert Path(main["paths"][1]).read_bytes() == FILES["config.json"]
    assert Path(tag["paths"][0]).read_bytes() == WEIGHTS
    assert "org/other: absent.json: is not in the cache and HF_HUB_OFFLINE is set" in unknown["error"]
    assert client.server.requests == []


def test_a_connection_cut_half_way_leaves_no_broken_file(client: Client) -> None:
    client.server.cut_after["weights.bin"] = len(WEIGHTS) // 2
    (cut,) = client.load(("org/model", None, ["weights.bin"]))
    # depending on its version, huggingface_hub gives up or resumes; half a file must not pass for a whole one
    if "error" in cut:
        assert cut["error"].startswith("HubError: org/model: weights.bin: the download failed; load it again")
        blobs = [path for path in (client.home / "hub/models--org--model/blobs").iterdir() if path.suffix == ""]
        assert blobs == []
    (whole,) = client.load(("org/model", None, ["weights.bin"]))
    assert Path(whole["paths"][0]).read_bytes() == WEIGHTS


def test_errors_name_model_file_and_cure_in_one_line(client: Client) -> None:
    client.server.repositories["org/gated"] = Repository({OLD: {}}, status=403, error_code="GatedRepo")
    client.server.repositories["org/secret"] = Repository({OLD: {}}, status=401)
    client.server.repositories["org/broken"] = Repository({OLD: {}}, status=503)
    asked = ["config.json"]
    models = ("org/nothing", "org/gated", "org/secret", "org/broken")
    loads = client.load(*((model, None, asked) for model in models))
    cures = ("check the name", "accept the terms", "set HF_TOKEN", "answered 503; try again later")
    for model, cure, load in zip(models, cures, loads, strict=True):
        assert load["error"].startswith(f"HubError: {model}: config.json: ")
        assert cure in load["error"]
        assert "\n" not in load["error"]


def test_what_the_cache_has_is_used_when_the_server_is_gone(client: Client) -> None:
    client.load(("org/model", None, ["config.json"]))
    loads = [("org/model", None, ["config.json"]), ("org/model", None, ["weights.bin"])]
    with socket.socket() as silent:  # has a port and does not listen
        silent.bind(("127.0.0.1", 0))
        cached, lacking = client.load(*loads, HF_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert Path(cached["paths"][0]).read_bytes() == FILES["config.json"]
    # not known to be absent, so this must not read as "no such file"
    assert "weights.bin: is not in the cache and" in lacking["error"]
    assert "cannot be reached; check the connection" in lacking["error"]


def test_without_a_network_a_name_that_is_no_folder_is_answered_at_once(client: Client) -> None:
    for name in ("org/my-model", "org/elsewhere", "my-modle"):
        (client.folder / name).mkdir(parents=True)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        near, far = client.load(
            *((each, None, ["config.json"]) for each in ("org/mymodel", "far")), HF_ENDPOINT=endpoint
        )
    assert near["error"].startswith("HubError: org/mymodel: config.json: is not in the cache and http://127.0.0.1:")
    assert near["error"].endswith("; there is no folder of this name here; similar folders: org/my-model")
    assert far["error"].endswith("; there is no folder of this name here")
    assert client.stderr == ""  # where huggingface_hub tries again, it says so


def test_the_token_is_sent(client: Client) -> None:
    client.load(("org/model", None, ["config.json"]), HF_TOKEN="hf_secret")
    assert "Bearer hf_secret" in client.server.tokens
    client.load(("org/model", {"token": "hf_other", "force_download": True}, ["config.json"]))
    assert client.server.tokens >= {"Bearer hf_other"}


def test_a_folder_in_a_checkpoint_and_a_cache_of_ones_own(client: Client) -> None:
    own = {"cache_dir": str(client.folder / "own"), "subfolder": "1_Pooling/"}
    (load,) = client.load(("org/model", own, ["config.json"]))
    assert load["paths"][0].startswith(str(client.folder / "own"))
    assert Path(load["paths"][0]).read_bytes() == FILES["1_Pooling/config.json"]
    assert not (client.home / "hub").exists()


def test_local_files_only_asks_nobody(client: Client) -> None:
    client.load(("org/model", None, ["config.json"]))
    here = {"local_files_only": True}
    cached, lacking = client.load(("org/model", here, ["config.json", "absent.json"]), ("org/other", here, ["x"]))
    assert cached["paths"][1] is None
    assert "x: is not in the cache and local_files_only=True; load it once online, or leave it out" in lacking["error"]
    assert [each for each in client.server.requests if "/resolve/" in each] == []
