"""Built wheels, checked as if they were installed, which they are not: read, unpacked, and asked in another process."""

import json
import os
import stat
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from email import message_from_string
from email.message import Message
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from tfx_core.errors import described, in_one_line, shown
from tfx_core.plugins import official
from tfx_core.plugins.distributions import installed_version
from tfx_core.plugins.faults import Fault, install
from tfx_core.plugins.hookspecs import PROJECT

_LARGEST = 2_000_000_000
"""Bytes that a wheel may hold unpacked."""

_BUILD = "build it anew: python -m build --wheel"
_MERGED = ("purelib", "platlib")
"""Folders of ``….data`` whose files an installer puts beside the others."""


class _UnreadableError(Exception):
    """A wheel of which nothing more can be said."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(what)
        self.fault = Fault(what, cure)


@dataclass(frozen=True)
class Wheel:
    """A wheel that can be unpacked and asked."""

    path: Path
    info: str
    """Its folder of metadata, ``tfx_llama-1.0.dist-info``."""

    files: Mapping[PurePosixPath, str]
    """Where an installer would put a file -> its name in the wheel."""

    metadata: Message
    points: Mapping[str, str]
    """Name of each entry point in our group -> the module that it names, and perhaps an attribute of it."""

    @property
    def distribution(self) -> str:
        """Its normalised name."""
        return canonicalize_name(self.metadata["Name"])

    @property
    def packages(self) -> list[str]:
        """The packages that its entry points are in."""
        return list(dict.fromkeys(target.partition(":")[0].partition(".")[0] for target in self.points.values()))

    def holds(self, module: str) -> bool:
        """Whether a module is among its files."""
        path = PurePosixPath(*module.split("."))
        beside = {
            file.name.partition(".")[0] for file in self.files if file.parent == path.parent and file.name != path.name
        }
        return path.name in beside or any(path in file.parents for file in self.files)

    def unpack(self, folder: Path) -> None:
        """Put its files where an installer would have put them, below a folder."""
        with zipfile.ZipFile(self.path) as archive:
            for place, name in self.files.items():
                file = folder / place
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(archive.read(name))


def checked(paths: Sequence[Path]) -> dict[Path, list[Fault]]:
    """Of each wheel what is wrong with it; their plugins are asked together, so that one may need another."""
    faults: dict[Path, list[Fault]] = {}
    wheels = []
    for path in dict.fromkeys(paths):
        try:
            wheel = _opened(path)
        except _UnreadableError as error:
            faults[path] = [error.fault]
        else:
            faults[path] = [*_faults_of_metadata(wheel), *_faults_of_files(wheel)]
            wheels.append(wheel)
    names = Counter(wheel.distribution for wheel in wheels)
    askable = []
    for wheel in wheels:
        missing = list(_missing_requirements(wheel, names))
        faults[wheel.path] += missing
        if names[wheel.distribution] > 1:
            what = f"there are {names[wheel.distribution]} wheels of {wheel.distribution}, so that none can be asked"
            faults[wheel.path].append(Fault(what, "check them one after the other"))
        elif wheel.points and not missing and not _hides_others(wheel):
            askable.append(wheel)
    with TemporaryDirectory(prefix="tfx-wheels-") as folder:
        places = {}
        for number, wheel in enumerate(askable):
            try:
                wheel.unpack(Path(folder, str(number)))
            except OSError as error:  # a name too long for this system, or that of a file and of a folder
                faults[wheel.path].append(Fault(f"it cannot be unpacked: {described(error)}", _BUILD))
            else:
                places[Path(folder, str(number))] = wheel
        for wheel, found in zip(places.values(), _asked(places), strict=True):
            faults[wheel.path] += found
    return faults


def _opened(path: Path) -> Wheel:
    """Read a wheel; raises `_UnreadableError` where nothing more can be said of it."""
    if not path.is_file():  # of a pipe, the end would be waited for
        raise _UnreadableError("it is no regular file", "name the file that was built, or copy it into one")
    try:
        with zipfile.ZipFile(path) as archive:
            files = _files(archive)
            damaged = archive.testzip()
            if damaged is not None:
                raise _UnreadableError(f"its file {shown(damaged)} is damaged", _BUILD)
            info = _info(files)
            metadata = message_from_string(archive.read(f"{info}/METADATA").decode())
            _check_identity(path, info, metadata)
            points = _points(archive.read(f"{info}/entry_points.txt")) if f"{info}/entry_points.txt" in files else {}
    except _UnreadableError:
        raise
    except Exception as error:  # a damaged file can raise anything out of zipfile
        raise _UnreadableError(f"it is no wheel that can be read: {described(error)}", _BUILD) from error
    return Wheel(path, info, _installed_places(files), metadata, points)


def _files(archive: zipfile.ZipFile) -> list[str]:
    """The names of the files, after a look at where each would go."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    for entry in entries:
        path = PurePosixPath(entry.filename)
        outside = path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in path.parts[0]
        if outside or stat.S_ISLNK(entry.external_attr >> 16):
            why = "would be written outside of the folder of packages" if outside else "is a link"
            raise _UnreadableError(f"its file {shown(entry.filename)} {why}", f"do not install it; {_BUILD}")
    if sum(entry.file_size for entry in entries) > _LARGEST:
        raise _UnreadableError(f"it would fill more than {_LARGEST:,} bytes", "leave models out of it")
    twice = [name for name, count in Counter(entry.filename for entry in entries).items() if count > 1]
    if twice:
        raise _UnreadableError(f"it holds {shown(twice[0])} twice", _BUILD)
    return [entry.filename for entry in entries]


def _info(files: Sequence[str]) -> str:
    """The folder of metadata."""
    folders = dict.fromkeys(name.partition("/")[0] for name in files if name.partition("/")[0].endswith(".dist-info"))
    if len(folders) != 1:
        what = f"{len(folders)} folders of metadata" if folders else "no metadata: no folder that ends in .dist-info"
        raise _UnreadableError(f"it has {what}", _BUILD)
    (info,) = folders
    lacks = [name for name in ("METADATA", "WHEEL", "RECORD") if f"{info}/{name}" not in files]
    if lacks:
        raise _UnreadableError(f"it has no {' and no '.join(f'{info}/{name}' for name in lacks)}", _BUILD)
    return info


def _check_identity(path: Path, info: str, metadata: Message) -> None:
    """Name and version can be read, and are the same in the metadata, their folder and the name of the file."""
    name, version = metadata["Name"], metadata["Version"]
    if not name or not version:
        raise _UnreadableError(f"its METADATA say no {'Version' if name else 'Name'}", _BUILD)
    try:
        stated = canonicalize_name(name), Version(version)
    except InvalidVersion as error:
        cure = "correct it in pyproject.toml"
        raise _UnreadableError(f"its version cannot be read: {described(error)}", cure) from error
    try:
        of_file, of_version, _, tags = parse_wheel_filename(path.name)
        of_info = parse_wheel_filename(f"{info.removesuffix('.dist-info')}-py3-none-any.whl")[:2]
    except (InvalidWheelFilename, InvalidVersion) as error:
        raise _UnreadableError(
            f"its name is no name of a wheel: {described(error)}", "leave it as it was built"
        ) from error
    if not stated == (of_file, of_version) == of_info:
        said = f"{name} {version} in METADATA, {of_info[0]} {of_info[1]} in the name of their folder"
        raise _UnreadableError(f"its name says {of_file} {of_version}, but it is {said}", _BUILD)
    if tags.isdisjoint(sys_tags()):
        built = ", ".join(sorted(map(str, tags)))
        raise _UnreadableError(f"it was built for {built}, and cannot be used in this Python", "build one for it")


def _points(text: bytes) -> dict[str, str]:
    """Name -> target of the entry points in our group."""
    read = ConfigParser(delimiters=("=",), interpolation=None)
    read.optionxform = str  # type: ignore[assignment, method-assign]  # names keep their case
    try:
        read.read_string(text.decode())
    except (ConfigError, ValueError) as error:
        cure = f'write [project.entry-points."{PROJECT}"] in pyproject.toml, with lines as name = "package.module"'
        raise _UnreadableError(f"its entry_points.txt cannot be read: {described(error)}", cure) from error
    points = read[PROJECT] if read.has_section(PROJECT) else {}
    return {name: target.partition("[")[0].strip() for name, target in points.items()}


def _installed_places(files: Sequence[str]) -> dict[PurePosixPath, str]:
    """Where an installer puts each file that can be imported, or is metadata."""
    places = {}
    for name in files:
        path = PurePosixPath(name)
        top, *below = path.parts
        if not (below and top.endswith(".data")):
            places[path] = name
        elif below[0] in _MERGED and len(below) > 1:
            places[PurePosixPath(*below[1:])] = name
    return places


def _faults_of_metadata(wheel: Wheel) -> Iterator[Fault]:
    python = wheel.metadata["Requires-Python"]
    running = ".".join(map(str, sys.version_info[:3]))
    try:
        if python is not None and not SpecifierSet(python).contains(running, prereleases=True):
            cure = "check it with such a one, or correct requires-python in pyproject.toml"
            yield Fault(f"it needs Python {in_one_line(python, 100)}, and this is {running}", cure)
    except InvalidSpecifier:
        what = f"its Requires-Python is {shown(python)}, which is no range of versions"
        yield Fault(what, 'write requires-python = ">=3.11" in pyproject.toml')
    for line in wheel.metadata.get_all("Requires-Dist", []):
        try:
            _needed(line)
        except ValueError as error:
            yield Fault(
                f"its requirement {shown(line)} cannot be read: {described(error)}", "correct it in pyproject.toml"
            )
    if not wheel.points:
        what = f"it names no plugin: it has no entry point in the group {PROJECT}"
        yield Fault(what, f'write [project.entry-points."{PROJECT}"] in pyproject.toml, and name = "package.plugin"')


def _faults_of_files(wheel: Wheel) -> Iterator[Fault]:
    for name, target in wheel.points.items():
        module = target.partition(":")[0]
        if not wheel.holds(module):
            what = f"its entry point {name!r} names {shown(module)}, which is not in it"
            yield Fault(what, "correct the name, or let the build take that package in")
    if not wheel.points:
        return
    own = (wheel.info, *wheel.packages, *(f"{package}.py" for package in wheel.packages))
    strange = sorted(str(file) for file in wheel.files if file.parts[0] not in own)
    if strange:
        listed = ", ".join(map(shown, strange[:3])) + ("…" if len(strange) > 3 else "")
        what = f"{len(strange)} of its files are outside of its package {' and '.join(wheel.packages)}: {listed}"
        yield Fault(what, "leave them out of the build: everybody who installs it would have them among all packages")
    if hidden := _hides_others(wheel):
        yield Fault(f"it would hide {', '.join(hidden)}, which others import", "call its package by a name of its own")


def _hides_others(wheel: Wheel) -> list[str]:
    """Its packages that are the core's, or Python's own."""
    tops = {file.parts[0].partition(".")[0] for file in wheel.files if file.parts[0] != wheel.info}
    return sorted(tops & {PROJECT, *sys.stdlib_module_names})


def _needed(line: str) -> Requirement | None:
    """What a requirement asks for here, if anything; raises `ValueError` for one that cannot be read."""
    needed = Requirement(line)
    return needed if needed.marker is None or needed.marker.evaluate({"extra": ""}) else None


def _missing_requirements(wheel: Wheel, beside: Mapping[str, int]) -> Iterator[Fault]:
    """What it needs and is neither installed nor among the wheels beside it."""
    for line in wheel.metadata.get_all("Requires-Dist", []):
        try:
            needed = _needed(line)
        except ValueError:
            continue
        if needed is None or canonicalize_name(needed.name) in (official.CORE, *beside):
            continue
        if installed_version(needed.name) is None:
            what = f"it needs {in_one_line(line, 200)}, which is not installed here, so that it cannot be asked"
            yield Fault(what, install(line))


def _asked(places: Mapping[Path, Wheel]) -> list[list[Fault]]:
    """What the plugins of unpacked wheels are told by a process that finds them first among all that is installed."""
    if not places:
        return []
    switches = ("TFX_PLUGINS", "TFX_DISABLE_PLUGINS", "TFX_STRICT_PLUGINS")
    environment = {name: value for name, value in os.environ.items() if name not in switches}
    before = filter(None, [os.environ.get("PYTHONPATH")])
    environment["PYTHONPATH"] = os.pathsep.join((*map(str, places), *before))
    only = [f"--only={wheel.distribution}" for wheel in places.values()]
    command = [sys.executable, "-P", "-m", PROJECT, "plugins", "--check", "--json", *only]
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    stdout, stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    plugins = list(_objects(stdout))
    return [_told(wheel, plugins) if plugins else [_ended(done.returncode, stderr)] for wheel in places.values()]


def _objects(lines: str) -> Iterator[Mapping[str, object]]:
    """The JSON objects of lines, among which may be others: a plugin prints what it likes when Python ends."""
    for line in lines.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and "problems" in found:
            yield found


def _told(wheel: Wheel, plugins: Sequence[Mapping[str, object]]) -> list[Fault]:
    """The problems of the plugins that a wheel brings."""
    found = []
    for plugin in plugins:
        problems = plugin["problems"]
        assert isinstance(problems, list)
        if canonicalize_name(str(plugin["distribution"])) == wheel.distribution:
            for each in problems:
                whose = each["spec"] or f"its plugin {plugin['name']!r}"
                found.append(Fault(f"{whose} {each['what']}", each["cure"] or "", each["spec"] or ""))
    return found


def _ended(code: int, stderr: str) -> Fault:
    last = in_one_line(stderr[-500:], 500)
    return Fault(f"asking it ended the process with {code}: {last}", "import the plugin by hand to see why")
