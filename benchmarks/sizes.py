"""What a `pip install` puts on the disk, read from the metadata of the environment that this runs in."""

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement


def added(by: Iterable[str], beyond: Iterable[str]) -> dict[str, int]:
    """Bytes of each distribution that installing ``by`` brings to where ``beyond`` is installed already."""
    present = closure(beyond)
    return {name: size(each) for name, each in sorted(closure(by).items()) if name not in present}


def closure(names: Iterable[str]) -> dict[str, Distribution]:
    """These distributions and everything that installing them brings, without extras."""
    found: dict[str, Distribution] = {}
    waiting = [_canonical(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = distribution(name)
            waiting += _required(found[name])
    return found


def size(installed: Distribution) -> int:
    """Bytes of a distribution's installed files, compiled modules included."""
    paths = (Path(str(file.locate())) for file in installed.files or ())
    return sum(path.stat().st_size for path in paths if path.is_file())


def _required(installed: Distribution) -> Iterator[str]:
    for line in installed.requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield _canonical(requirement.name)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
