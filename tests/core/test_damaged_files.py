"""A few of the damaged files of `nox -s fuzz`, and all that were made by hand, in watched processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_damaged_and_hostile_files_are_refused_or_read_cheaply() -> None:
    # how long a file takes is for `nox -s fuzz` to say: here only what never ends has hung
    command = [sys.executable, str(ROOT / "benchmarks/fuzz.py"), "--json", "--count", "500", "--seconds", "inf"]
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))},
    )
    *bad, total = ran.stdout.splitlines() or [ran.stderr]
    assert not bad, "\n".join(bad)
    assert json.loads(total)["cases"] > 550
    assert ran.returncode == 0
