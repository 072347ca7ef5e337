"""What races have measured, kept in a file with what the machine and the libraries were."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from measure import Results

FLAGS = (
    "avx2", "fma", "f16c", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8",
    "asimd", "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip
"""Instructions that matrix products use, by the names that Linux has for them."""
LIBRARIES = (
    "tfx-core", "torch", "numpy", "tokenizers", "transformers", "sentence-transformers", "ctranslate2", "onnxruntime",
)  # fmt: skip
_VERSIONS = f"""
import json, platform
from importlib.metadata import PackageNotFoundError, version
found = {{"python": platform.python_version()}}
for name in {LIBRARIES!r}:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Finished:
    """One race."""

    title: str
    rates: list[str]
    """Figures that count, all per second."""
    results: Results


@dataclass(frozen=True)
class Machine:
    """What matters of it for the speed of a model."""

    processor: str
    flags: list[str]
    """Those of `FLAGS` that the processor has; empty where the system does not say."""
    cores: int
    memory: float | None
    """GB."""
    system: str

    @classmethod
    def here(cls) -> "Machine":
        """The one that we are on."""
        file = Path("/proc/cpuinfo")
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        said = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        flags = (said.get("flags") or said.get("Features") or "").split()
        return cls(
            processor=said.get("model name") or platform.processor() or platform.machine(),
            flags=[each for each in FLAGS if each in flags],
            cores=os.cpu_count() or 1,
            memory=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
            system=f"{platform.system()} {platform.machine()}",
        )


@dataclass(frozen=True)
class Record:
    """All races of one run of a script."""

    script: str
    date: str
    machine: Machine
    threads: int
    load: float
    """Processes that ran or waited to, the contestants among them, on average over the last 15 minutes of the run."""
    versions: dict[str, dict[str, str]]
    """Of Python and the libraries, in our environment and in that of the peers."""
    races: Sequence[Finished]

    @classmethod
    def of(cls, peers: str, threads: int, races: Sequence[Finished]) -> "Record":
        """What has just been measured by the script that runs."""
        return cls(
            script=Path(sys.argv[0]).name,
            date=datetime.now(UTC).date().isoformat(),
            machine=Machine.here(),
            threads=threads,
            load=round(os.getloadavg()[2], 1),
            versions={"ours": versions(sys.executable), "peers": versions(peers)},
            races=races,
        )

    def write(self, file: Path) -> None:
        """Store for `read`."""
        file.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> "Record":
        """What `write` has stored."""
        stored = json.loads(file.read_text(encoding="utf-8"))
        races = [Finished(**{**race, "results": Results(**race["results"])}) for race in stored["races"]]
        return cls(**{**stored, "machine": Machine(**stored["machine"]), "races": races})


def versions(python: str) -> dict[str, str]:
    """Of Python and of `LIBRARIES`, in the environment of this Python."""
    done = subprocess.run((python, "-c", _VERSIONS), stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
