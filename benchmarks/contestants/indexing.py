"""Building and searching an index, as the contestants carry it out, with figures; runs in each one's process.

Arguments are what to do, the kind, a folder with vectors and queries, the place of the index, and the threads.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np

FOUND = 20
"""As many as are asked for."""
_STATUS = Path("/proc/self/status")

Search = Callable[[np.ndarray, int], np.ndarray]
"""From queries (Q, D) to rows (Q, k)."""


def compete(build: Callable[[str, Path, np.ndarray], None], opened: Callable[[str, Path], Search]) -> None:
    """Do what the arguments say and print figures."""
    work, kind, source, target, threads = sys.argv[1:]
    faiss.omp_set_num_threads(int(threads))
    if work == "build":
        vectors = np.load(Path(source) / "vectors.npy", mmap_mode="r")
        started = time.perf_counter()
        build(kind, Path(target), vectors)
        print(json.dumps({"build": time.perf_counter() - started}))
    else:
        print(json.dumps(_searched(kind, Path(source), Path(target), opened)))


def _searched(kind: str, source: Path, target: Path, opened: Callable[[str, Path], Search]) -> dict[str, float]:
    queries, exact, wanted = (np.load(source / f"{name}.npy") for name in ("queries", "exact", "wanted"))
    before, started = _resident(), time.perf_counter()
    search = opened(kind, target)
    ready = time.perf_counter() - started
    rows, batch = _timed(lambda: search(queries, FOUND))
    held = _resident() - before
    few = queries[:200]
    _, single = _timed(lambda: np.concatenate([search(query[None], FOUND) for query in few]))
    shared = [len({*a} & {*b}) / 10 for a, b in zip(rows[:, :10].tolist(), exact[:, :10].tolist(), strict=True)]
    return {
        "open": ready,
        "held": max(held, 4096) / 1e6,
        "one by one": len(few) / single,
        "together": len(queries) / batch,
        "recall": float(np.mean(shared)),
        "hits": float((rows == wanted[:, None]).any(axis=1).mean()),
    }


def _timed(call: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    """What it gives, and the shorter of two times."""
    times = []
    for _ in range(2):
        started = time.perf_counter()
        given = call()
        times.append(time.perf_counter() - started)
    return given, min(times)


def _resident() -> int:
    """Bytes of this process in memory, pages of mapped files among them; 0 where the system does not say."""
    if not _STATUS.exists():
        return 0
    lines = dict(line.split(":", 1) for line in _STATUS.read_text(encoding="utf-8").splitlines())
    return int(lines["VmRSS"].split()[0]) * 1024
