"""Which installed distributions name a plugin, and whether they fit this core; reads metadata and imports nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from operator import eq, ge, gt, le, lt, ne

from tfx_core.errors import described, in_one_line
from tfx_core.plugins.faults import Fault, install, upgrade
from tfx_core.plugins.hookspecs import PROJECT

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*")
_CLAUSE = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*(\d+(?:\.\d+)*)\s*")
_RELEASE = re.compile(r"\d+(?:\.\d+)*")
_COMPARE = {">=": ge, "<=": le, "==": eq, "!=": ne, ">": gt, "<": lt}


@dataclass(frozen=True)
class EntryPoint:
    """One line of a distribution's entry points in the group ``tfx_core``."""

    name: str
    target: str
    distribution: str
    version: str

    requires: tuple[str, ...] = ()
    """The distribution's requirements on tfx-core, as its metadata states them."""

    damage: str = ""
    """Why the metadata cannot be read; empty when it can."""


def normalise(name: str) -> str:
    """The one spelling of a distribution's name (PyPA's rule): ``Tfx_Encoders`` is ``tfx-encoders``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def scan() -> list[EntryPoint]:
    """Every entry point of the group, ordered by distribution and name.

    ``importlib.metadata.entry_points`` would do, but one damaged file of any distribution stops it.
    """
    points: dict[str, list[EntryPoint]] = {}
    for distribution in metadata.distributions():
        text = _entry_points_text(distribution)
        if text is None or PROJECT not in text:
            continue  # reading metadata is what costs: only for those that may have a plugin
        name = name_of(distribution)
        key = normalise(name)
        if key in points:
            continue
        # Two installations of a name on sys.path: the first one is what Python imports, even if it has no plugin.
        first = next(iter(metadata.distributions(name=name)), distribution)
        points[key] = _read(first)
    return [entry for key in sorted(points) for entry in sorted(points[key], key=lambda entry: entry.name)]


def installed_version(name: str) -> str | None:
    """The version of an installed distribution; ``None`` where it is not installed, or does not say."""
    try:
        return metadata.version(name)
    except Exception:  # of damaged metadata too
        return None


def _entry_points_text(distribution: metadata.Distribution) -> str | None:
    try:
        return distribution.read_text("entry_points.txt")
    except Exception:
        return None  # whose it is cannot be told, and importlib.metadata would not find it either


def name_of(distribution: metadata.Distribution) -> str:
    """What an installed distribution calls itself, whatever its metadata are."""
    try:
        name: str | None = distribution.metadata["Name"]
    except Exception:  # no METADATA file: what is raised depends on the version of Python
        name = None
    return in_one_line(name or "(a distribution without metadata)", 200)


def _read(distribution: metadata.Distribution) -> list[EntryPoint]:
    name = name_of(distribution)
    try:
        fields = distribution.metadata  # parsed anew at every access
        version = in_one_line(fields["Version"] or "", 100)
        requirements = fields.get_all("Requires-Dist") or distribution.requires or ()
        requires = tuple(line for line in requirements if _concerns_core(line))
        points = dict.fromkeys(point for point in distribution.entry_points if point.group == PROJECT)
    except Exception as error:  # a damaged file can raise anything out of importlib.metadata
        damage = f"its metadata cannot be read: {described(error)}"
        return [EntryPoint(normalise(name), "", name, "", damage=damage)]
    # A value may end in extras, "package.plugin [big]", which say nothing about what to import.
    targets = {in_one_line(point.name, 200): point.value.partition("[")[0].strip() for point in points}
    return [EntryPoint(point, in_one_line(target, 500), name, version, requires) for point, target in targets.items()]


def _concerns_core(requirement: str) -> bool:
    match = _NAME.match(requirement)
    return match is not None and normalise(match[1]) == "tfx-core"


def misfit(entry: EntryPoint, core_version: str) -> Fault | None:
    """Why a plugin does not fit this version of the core, and the cure; ``None`` when it does."""
    for requirement in entry.requires:
        operators = _unmet(requirement, core_version)
        if not operators:
            continue
        if operators <= {">=", ">"}:
            cure = f"upgrade tfx-core: {install(requirement)}"
        elif operators <= {"<", "<="}:
            cure = f"it was made for an older core, upgrade {entry.distribution}: {upgrade(entry.distribution)}"
        else:
            both = upgrade("tfx-core", entry.distribution)
            cure = f"install versions of tfx-core and {entry.distribution} that fit each other: {both}"
        return Fault(f"it needs {in_one_line(requirement, 200)}, and {core_version} is installed", cure)
    return None


def _unmet(requirement: str, version: str) -> set[str]:
    """The operators of the clauses that the version does not satisfy."""
    clauses = _plain_clauses(requirement)
    if clauses is None or not _RELEASE.fullmatch(version):
        return _unmet_in_full(requirement, version)
    return {operator for operator, bound in clauses if not _COMPARE[operator](*_padded(version, bound))}


def _plain_clauses(requirement: str) -> Sequence[tuple[str, str]] | None:
    """Operators and bounds of a requirement made of nothing but comparisons with releases, as most are.

    Those are settled here, because importing `packaging` takes a fifth of the time that listing the plugins does.
    """
    name = _NAME.match(requirement)
    rest = requirement[name.end() :].strip() if name else ""
    if rest.startswith("(") and rest.endswith(")"):
        rest = rest[1:-1]
    if not rest:
        return ()
    matches = [_CLAUSE.fullmatch(part) for part in rest.split(",")]
    return None if None in matches else [(match[1], match[2]) for match in matches if match]


def _padded(version: str, bound: str) -> tuple[list[int], list[int]]:
    left, right = ([int(part) for part in text.split(".")] for text in (version, bound))
    length = max(len(left), len(right))
    return left + [0] * (length - len(left)), right + [0] * (length - len(right))  # 1.0 equals 1.0.0


def _unmet_in_full(requirement: str, version: str) -> set[str]:
    from packaging.requirements import InvalidRequirement, Requirement  # comes with tokenizers, for huggingface_hub

    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        return set()  # pip would not have installed it; importing the plugin tells what is wrong
    if parsed.marker is not None and not parsed.marker.evaluate({"extra": ""}):
        return set()
    return {part.operator for part in parsed.specifier if not part.contains(version, prereleases=True)}
