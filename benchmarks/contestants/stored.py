"""Work that one process writes for others, in environments of their own."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Stored:
    """Fields that JSON has."""

    def write(self, file: Path) -> None:
        """Store for `from_file`."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def from_file(cls, file: Path) -> Self:
        """What `write` has stored."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))
