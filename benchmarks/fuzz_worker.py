"""One process of the fuzz run: it makes a case in a folder, reads it under watch, and says what came of it.

A case is a line of standard input, ``[reader, seed]`` or ``[attack, null]``; the answer is a line of standard output.
The process ends where it is no measure any more for the next case: after one that took too much memory.
"""

import importlib.util
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

MEMORY = 200_000_000
"""Bytes that it may take beside its folder's own size."""
_ADDRESSES = 6_000_000_000
"""Bytes of address space at which a case is stopped, for the machine's sake."""

sys.path.insert(0, str(Path(__file__).parent))

from fuzz_damage import damaged  # noqa: E402

from tfx_core.errors import TfxError  # noqa: E402

_FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "os.chown",
    "os.putenv",
    "subprocess.Popen",
    "socket.connect",
    "socket.bind",
    "socket.sendto",
    "socket.getaddrinfo",
    "shutil.",
    "pickle.find_class",
    "ctypes.dlopen",
    "code.__new__",
    "webbrowser.open",
    "pty.spawn",
    "urllib.Request",
    "ftplib.",
    "smtplib.",
    "sqlite3.",
)


class _Watch:
    """Notes what is executed while a file is read."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or event.startswith(_FORBIDDEN):
            self.seen.append(f"{event} {arguments!r:.100}")
        elif event == "import" and arguments[0].partition(".")[0] not in {
            name.partition(".")[0] for name in sys.modules
        }:
            self.seen.append(f"import {arguments[0]}")


def modules() -> list[ModuleType]:
    """Those beside this one that have readers."""
    names = ("fuzz_files", "fuzz_attacks", "fuzz_text")
    return [import_module(name) for name in names if importlib.util.find_spec(name) is not None]


def readers() -> dict[str, tuple[Callable[[Path], None], Callable[[Path], object]]]:
    """How each reader's good files are made, and how they are read."""
    return {name: each for module in modules() for name, each in getattr(module, "READERS", {}).items()}


def attacks() -> dict[str, tuple[str, Callable[[Path], None]]]:
    """The reader of each attack, and what makes it of a good folder."""
    return {name: each for module in modules() for name, each in getattr(module, "ATTACKS", {}).items()}


def _of(attribute: str, reader: str) -> Any:
    return next((found[reader] for module in modules() if reader in (found := getattr(module, attribute, {}))), None)


class Worker:
    """The folders of the good files, and the watch."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.good: dict[str, Path] = {}
        self.watch = _Watch()

    def run(self, name: str, seed: int | None) -> dict[str, Any]:
        """Make the case, read it, and tell."""
        reader, attack = (name, None) if seed is not None else attacks()[name]
        make, read = readers()[reader]
        if reader not in self.good:
            self.good[reader] = self.root / f"good-{len(self.good)}"
            self.good[reader].mkdir()
            make(self.good[reader])
            read(self.good[reader])  # whatever it imports on first use is no news afterwards
        folder = self.root / "case"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.good[reader], folder)
        case = {"reader": reader, "case": name, "seed": seed, "must_be_refused": True, "how": name}
        if attack is not None:
            attack(folder)
        else:
            random = Random(f"{name} {seed}")
            patterns = _of("DAMAGED", reader) or ("*",)
            paths = sorted({path for pattern in patterns for path in folder.rglob(pattern) if path.is_file()})
            path = random.choice(paths)
            result = damaged(path.read_bytes(), random)
            path.write_bytes(result.data)
            must = result.must_be_refused and path.name != "tokenizer.json"  # its own library decides what it takes
            case |= {"file": path.name, "how": result.how, "must_be_refused": must}
        prepare = _of("PREPARED", reader)
        if prepare is not None:
            prepare(folder)
        size = sum(path.lstat().st_size for path in folder.rglob("*"))
        return {**case, **self._read(read, folder, size)}

    def _read(self, read: Callable[[Path], object], folder: Path, size: int) -> dict[str, Any]:
        before, start = _now_in_memory(), time.process_time()
        self.watch.seen.clear()
        self.watch.on = True
        outcome, message = "read", ""
        try:
            read(folder)
        except TfxError as error:
            outcome, message = "refused", str(error)
        except BaseException as error:
            outcome, message = "raw", f"{type(error).__name__}: {error}"
        finally:
            self.watch.on = False
        seconds = time.process_time() - start
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        taken = most - before
        if self.watch.seen:
            outcome, message = "executed", "; ".join(self.watch.seen[:5])
        elif taken > MEMORY + size:
            outcome, message = "blown up", f"{taken / 1e6:.0f} MB: {message}"
        elif outcome == "refused" and str(folder) not in message:
            outcome = "unnamed"
        elif outcome == "refused" and not message.replace("\n", "").isprintable():
            outcome = "raw"
        return {
            "outcome": outcome,
            "message": message[:500],
            "seconds": round(seconds, 3),
            "megabytes": round(taken / 1e6),
        }


def _now_in_memory() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def main() -> None:
    """Answer the cases of standard input."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, resource.RLIM_INFINITY))
    with tempfile.TemporaryDirectory(prefix="fuzz-") as root:
        worker = Worker(Path(root))
        for line in sys.stdin:
            answer = worker.run(*json.loads(line))
            answer["outcome"] = (
                "accepted" if answer["must_be_refused"] and answer["outcome"] == "read" else answer["outcome"]
            )
            # the most memory that a process ever had can be asked, not the most of one case
            answer["last"] = answer["megabytes"] > MEMORY / 2e6
            print(json.dumps(answer), file=answers, flush=True)
            if answer["last"]:
                break


if __name__ == "__main__":
    main()
