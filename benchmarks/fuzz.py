"""Damaged and hostile files: every reader, in processes that are watched, and what came of each file.

A reader must refuse a file with one error that names it, or read it; it must execute nothing, crash nothing, and take
at most 2 seconds of computing and 200 MB beside the file's size. `nox -s fuzz` runs it; the same seeds give the same
files. The exit code is 1 if anything else came of any file.

- refused, read: what should be; a file may be read though a byte of it differs.
- accepted: read, though it contradicts itself (a name twice, a checksum that is wrong).
- unnamed: refused with an error that does not say where the file is, before anything is asked of what was read.
- raw: another exception than ours; hung, blown up: too much time or memory; executed; crashed.
"""

import argparse
import json
import os
import re
import selectors
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from fuzz_worker import attacks, readers

OUTCOMES = ("refused", "read", "accepted", "unnamed", "raw", "hung", "blown up", "executed", "crashed")
GOOD = ("refused", "read")
_PATIENCE = 90
"""Seconds without an answer after which a process is given up; it may share its processor with many."""

Case = tuple[str, int | None]


class _Process:
    """A worker, started again where it ended."""

    def __init__(self) -> None:
        self.worker: subprocess.Popen[str] | None = None

    def run(self, case: Case) -> dict[str, Any]:
        """The answer of the worker, or that there was none."""
        if self.worker is None:
            self.worker = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("fuzz_worker.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        worker = self.worker
        assert worker.stdin is not None
        assert worker.stdout is not None
        print(json.dumps(case), file=worker.stdin, flush=True)
        with selectors.DefaultSelector() as selector:
            selector.register(worker.stdout, selectors.EVENT_READ)
            line = worker.stdout.readline() if selector.select(_PATIENCE) else None
        if line:
            answer: dict[str, Any] = json.loads(line)
            if answer["last"]:
                self.end()
            return answer
        self.end()
        outcome = "hung" if line is None else "crashed"
        name, seed = case
        reader = name if seed is not None else attacks()[name][0]
        return {
            "reader": reader,
            "case": name,
            "seed": seed,
            "outcome": outcome,
            "message": f"exit code {worker.returncode}",
        }

    def end(self) -> None:
        """End the worker."""
        if self.worker is not None:
            self.worker.kill()
            self.worker.communicate()
            self.worker = None


def run(cases: Iterator[Case], processes: int, seconds: float) -> list[dict[str, Any]]:
    """What came of each case; one that took more seconds of computing has hung."""
    answers: list[dict[str, Any]] = []
    lock = threading.Lock()

    def work() -> None:
        process = _Process()
        while True:
            with lock:
                case = next(cases, None)
            if case is None:
                break
            answer = process.run(case)
            if answer["outcome"] in GOOD and answer["seconds"] > seconds:
                answer |= {"outcome": "hung", "message": f"{answer['seconds']:.1f} s: {answer['message']}"}
            answers.append(answer)
        process.end()

    threads = [threading.Thread(target=work) for _ in range(processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _cases(count: int, only: str) -> Iterator[Case]:
    names = [name for name in readers() if re.search(only, name)]
    yield from ((name, None) for name, (reader, _) in attacks().items() if re.search(only, reader))
    damaged = ((name, seed) for seed in range(-(-count // max(1, len(names)))) for name in names)
    yield from islice(damaged, count)


def main() -> int:
    """Run the cases and print a table of readers and outcomes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000, help="damaged files, beside those made by hand")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0, help="of computing that a file may cost")
    parser.add_argument("--only", default="", help="readers whose name fits this pattern")
    parser.add_argument("--json", action="store_true", help="print what came of each file that is not as it should be")
    options = parser.parse_args()
    answers = run(_cases(options.count, options.only), options.processes, options.seconds)
    bad = [answer for answer in answers if answer["outcome"] not in GOOD]
    if options.json:
        for answer in bad:
            print(json.dumps(answer))
        print(json.dumps({"cases": len(answers), "bad": len(bad)}))
        return int(bool(bad))
    table = Counter((answer["reader"], answer["outcome"]) for answer in answers)
    print(f"{'':40}", *(f"{outcome:>9}" for outcome in OUTCOMES))
    for reader in dict.fromkeys(
        answer["reader"] for answer in sorted(answers, key=lambda answer: str(answer["reader"]))
    ):
        print(f"{reader:40}", *(f"{table[reader, outcome]:9}" for outcome in OUTCOMES))
    print(f"{'all':40}", *(f"{sum(table[key] for key in table if key[1] == outcome):9}" for outcome in OUTCOMES))
    for answer in bad[:50]:
        print(
            f"{answer['outcome']}: {answer['case']} {answer['seed']} ({answer.get('how')}): {answer['message'][:200]!r}"
        )
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
