"""Every way in which a plugin can be broken: where it is touched × what is found there, or what that raises.

Each kind is a `Broken`: what to install, made by rules from the tables below. What a plugin's own module would define,
its source gets from here by `made` and `done`, so that its module holds nothing else that is broken.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import click

from tfx_core import ArchitectureSpec, hookimpl

ESCAPES = "\x1b[2J\nError: forged\x9b\u202e"


@dataclass(frozen=True)
class Broken:
    """What to install in a `FakeSite`."""

    source: str = ""
    fails: bool = True
    """Whether the plugin must be told apart as failed; of others only that they harm nobody."""

    distribution: str = ""
    version: str = "1.0"
    requires: tuple[str, ...] = ()
    entry_point: str = ""
    target: str = ""


# what is raised


class NotEvenAnExceptionError(BaseException):
    """As the panics of libraries in other languages are."""


class MuteError(Exception):
    def __str__(self) -> str:
        raise SystemExit(4)

    __repr__ = __str__


class LoopingError(Exception):
    def __str__(self) -> str:
        return str(self)


class NumberedError(Exception):
    def __str__(self) -> str:
        return 7  # noqa: PLE0307


class ClosedError(ImportError):
    """Cannot be asked for anything."""

    def __getattribute__(self, name: str) -> Any:
        raise SystemExit(name)

    __str__ = __bool__ = __len__ = __hash__ = lambda self: self.anything
    __eq__ = lambda self, other: self.anything  # noqa: E731


def nameless(name: object) -> ImportError:
    error = ImportError(ESCAPES)
    error.name = name
    return error


def deep() -> None:
    deep()


_RAISED: Mapping[str, str] = {
    "an error": "raise ValueError('x')",
    "the end of the program": "raise SystemExit(3)",
    "the end of the program by sys": "sys.exit()",
    "no exception": "raise NotEvenAnExceptionError",
    "the end of a generator": "raise GeneratorExit",
    "the end of an iteration": "raise StopIteration",
    "an error without a text": "raise MuteError",
    "an error whose text calls itself": "raise LoopingError",
    "an error whose text is a number": "raise NumberedError",
    "an error that cannot be asked": "raise ClosedError",
    "an import error of the name 5": "raise nameless(5)",
    "an import error of a name that cannot be asked": "raise nameless(Hostile())",
    "an error that drives a terminal": "raise ValueError(ESCAPES)",
    "an error of a megabyte": "raise ValueError('x' * 10**6)",
    "an error of lone surrogates": "raise ValueError('\\ud800')",
    "a group of errors": "raise ExceptionGroup(ESCAPES, [MuteError()])",
    "an error without end": "deep()",
    "an error of memory": "raise MemoryError",
    "an error of the command line": "raise click.UsageError(ESCAPES)",
    "the end of a command": "raise click.exceptions.Exit(0)",
}


# what is found


class Hostile:
    """Raises whatever is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise MuteError

    def _refuse(self, *_: object) -> Any:
        raise MuteError

    __iter__ = __len__ = __eq__ = __hash__ = __repr__ = __str__ = __bool__ = _refuse
    __int__ = __index__ = __lt__ = __le__ = __gt__ = __ge__ = __getitem__ = __call__ = _refuse


class HostileText(str):
    def _refuse(self, *_: object) -> Any:
        raise MuteError

    __iter__ = __len__ = __eq__ = __hash__ = __repr__ = __str__ = __getitem__ = _refuse
    __add__ = __format__ = __contains__ = isprintable = partition = split = removesuffix = _refuse


class HostileNumber(int):
    def _refuse(self, *_: object) -> Any:
        raise MuteError

    __repr__ = __str__ = __lt__ = __le__ = __gt__ = __ge__ = __format__ = _refuse


class HostileMapping(Mapping[str, str]):
    def _refuse(self, *_: object) -> Any:
        raise SystemExit(5)

    __iter__ = __len__ = __getitem__ = items = values = keys = __repr__ = _refuse


class HostileTuple(tuple[str, ...]):
    def _refuse(self, *_: object) -> Any:
        raise MuteError

    __iter__ = __len__ = __getitem__ = __repr__ = __eq__ = __hash__ = _refuse


class HostileList(list[object]):
    def _refuse(self, *_: object) -> Any:
        raise MuteError

    __iter__ = __len__ = __getitem__ = __repr__ = _refuse


class Liar:
    """Says that it is a list, a string, a mapping."""

    def __init__(self, kind: type) -> None:
        self.kind = kind

    @property
    def __class__(self) -> Any:
        return self.kind


class HostileSpec(ArchitectureSpec):
    """Changes its mind: right when it is looked at for the first time."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("summary", "heads"):
            raise MuteError
        return super().__getattribute__(name)


class HostileCommand(click.Command):
    @property
    def hidden(self) -> Any:
        raise MuteError

    @hidden.setter
    def hidden(self, value: bool) -> None:
        pass


class SilentCommand(click.Command):
    def get_short_help_str(self, limit: int = 45) -> str:
        raise SystemExit(6)


class NumberedCommand(click.Command):
    def get_short_help_str(self, limit: int = 45) -> Any:
        return 7


class Metaclass(type):
    def __getattribute__(cls, name: str) -> Any:
        raise MuteError

    def __repr__(cls) -> str:
        raise MuteError


class Nameless(metaclass=Metaclass):
    pass


def plugin_object(kind: str, raises: str) -> object:
    """A plugin whose special method raises."""

    def method(self: object, *_: object) -> Any:
        done(raises)

    @hookimpl
    def tfx_heads(self: object) -> list[object]:
        return []

    return type("Plugin", (), {kind: property(method) if kind == "__class__" else method, "tfx_heads": tfx_heads})()


_ANY: Mapping[str, str] = {
    "None": "None",
    "a truth": "True",
    "a number": "7",
    "a fraction": "float('nan')",
    "a number of 5,000 digits": "10**5000",
    "a negative number of 5,000 digits": "-10**5000",
    "bytes": "b'x'",
    "an escape": "ESCAPES",
    "a megabyte": "'x' * 10**6",
    "a lone surrogate": "'\\ud800'",
    "a list of escapes": "[ESCAPES]",
    "a dict": "{ESCAPES: 5}",
    "a set": "{'x'}",
    "a class": "Nameless",
    "an object": "Nameless()",
    "what cannot be asked": "Hostile()",
    "a text that cannot be asked": "HostileText('x')",
    "a number that cannot be asked": "HostileNumber(1)",
    "a tuple that cannot be asked": "HostileTuple('x')",
    "a list that cannot be asked": "HostileList()",
    "a mapping that cannot be asked": "HostileMapping()",
    "what lies about being a text": "Liar(str)",
    "what lies about being a list": "Liar(list)",
    "what lies about being a mapping": "Liar(dict)",
    "what lies about being a spec": "Liar(ArchitectureSpec)",
}
USABLE = {
    ("name", "a text that cannot be asked"),
    ("name", "a number that cannot be asked"),
    ("summary", "an escape"),
    ("summary", "a megabyte"),
    ("summary", "a lone surrogate"),
    ("summary", "a text that cannot be asked"),
}
"""Fields whose value is plain once it is copied."""


def made(expression: str) -> object:
    return eval(expression, globals())


def done(statement: str) -> None:
    exec(statement, globals())


RAISED = {what: f"broken.done({statement!r})" for what, statement in _RAISED.items()}
ANY = {what: f"broken.made({expression!r})" for what, expression in _ANY.items()}
HEAD = "import click\nfrom tests.core.plugins import broken\nfrom tfx_core import ArchitectureSpec, hookimpl\n"


def _indented(body: str) -> str:
    return f"    {body}\n"


def at_import() -> Iterator[tuple[str, Broken]]:
    for what, raises in RAISED.items():
        yield f"import raises {what}", Broken(HEAD + raises)
        yield (
            f"looking anything up raises {what}",
            Broken(HEAD + f"def __getattr__(name):\n{_indented(raises)}"),
        )
    yield "does not compile", Broken("def (")
    yield "null byte", Broken("x = '\0'")
    yield "another core", Broken("from tfx_core import ESCAPES", fails=False)


def as_objects() -> Iterator[tuple[str, Broken]]:
    for kind in ("__getattr__", "__getattribute__", "__dir__", "__class__", "__eq__", "__hash__", "__bool__"):
        for what, raises in _RAISED.items():
            source = HEAD + f"plugin = broken.plugin_object({kind!r}, {raises!r})\n"
            yield f"{kind} raises {what}", Broken(source, fails=kind == "__getattribute__", target=":plugin")
    for what, value in ANY.items():
        yield f"is {what}", Broken(HEAD + f"plugin = {value}\n", target=":plugin")


def levels() -> Iterator[tuple[str, Broken]]:
    for what, value in ANY.items():
        if what not in ("a number", "a number of 5,000 digits", "a negative number of 5,000 digits"):
            yield f"level {what}", Broken(HEAD + f"TFX_API = {value}\n")
        else:
            yield f"level {what}", Broken(HEAD + f"TFX_API = {value}\n", fails=False)


def _hook(body: str, name: str = "tfx_architectures") -> str:
    arguments = "cli" if name == "tfx_commands" else ""
    return f"{HEAD}@hookimpl\ndef {name}({arguments}):\n{_indented(body)}"


def answers() -> Iterator[tuple[str, Broken]]:
    for what, raises in RAISED.items():
        yield f"asking raises {what}", Broken(_hook(raises))
    for what, value in ANY.items():
        yield f"answer {what}", Broken(_hook(f"return {value}"), fails="list that cannot" not in what)
        yield f"answer [{what}]", Broken(_hook(f"return [{value}]"))
        yield f"hook is {what}", Broken(HEAD + f"tfx_tasks = {value}\n")
    yield "a spec that cannot be asked", Broken(_hook("return [broken.HostileSpec('x', target='a:b')]"))
    yield "another core's hook", Broken(_hook("return []", f"tfx_{'x' * 5000}"))


def fields() -> Iterator[tuple[str, Broken]]:
    for field in ("name", "target", "heads", "hf_classes", "tokenizer_classes", "capabilities", "summary", "paper"):
        for what, value in ANY.items():
            given = {"name": "'fine'", "target": "'math:pi'", field: value}
            listed = ", ".join(f"{name}={each}" for name, each in given.items())
            usable = ("summary" if field == "paper" else field, what) in USABLE
            yield f"{field} {what}", Broken(_hook(f"return [ArchitectureSpec({listed})]"), fails=not usable)
    for inner in ("('lm', {})", "({}, 'lm')"):
        for what, value in ANY.items():
            heads = inner.format(value)
            source = _hook(f"return [ArchitectureSpec('fine', target='math:pi', heads={heads})]")
            yield f"heads {inner.format(what)}", Broken(source, fails=what != "a text that cannot be asked")
    for pair in ("{}: 'backbone'", "'XModel': {}"):
        for what, value in ANY.items():
            source = _hook(f"return [ArchitectureSpec('fine', target='math:pi', hf_classes={{{pair.format(value)}}})]")
            yield f"hf_classes {pair.format(what)}", Broken(source)
    for what, name in {"colon": "a:b", "comma": "a,b", "blank": "a b", "line": "a\nb", "bell": "a\x07b"}.items():
        yield f"a name with a {what}", Broken(_hook(f"return [ArchitectureSpec({name!r}, target='math:pi')]"))


def commands() -> Iterator[tuple[str, Broken]]:
    for what, raises in RAISED.items():
        yield f"asking for commands raises {what}", Broken(_hook(raises, "tfx_commands"))
    for what, value in ANY.items():
        yield f"commands are {what}", Broken(_hook(f"cli.commands = {value}", "tfx_commands"))
        yield f"a command is {what}", Broken(_hook(f"cli.commands['x'] = {value}", "tfx_commands"))
        body = f"cli.commands = dict([({value}, click.Command('x'))])"
        yield f"a command called {what}", Broken(_hook(body, "tfx_commands"))
        body = f"cli.commands['x'] = click.Command('x', help={value}, short_help={value})"
        yield f"a command whose help is {what}", Broken(_hook(body, "tfx_commands"), fails=False)
    for command in ("HostileCommand", "SilentCommand", "NumberedCommand"):
        yield f"a command that is a {command}", Broken(_hook(f"cli.add_command(broken.{command}('x'))", "tfx_commands"))
    yield "a command with an escape", Broken(_hook("cli.add_command(click.Command(broken.ESCAPES))", "tfx_commands"))


def metadata() -> Iterator[tuple[str, Broken]]:
    digits = "9" * 5000
    fine = _hook("return []")
    yield "a requirement of 5,000 digits", Broken(fine, requires=(f"tfx-core<{digits}",))
    yield "a version of 5,000 digits", Broken(fine, fails=False, version=digits[:200])
    for marker in (
        f'python_version > "{digits}"',
        'platform_release > "x"',
        'implementation_version >= "not a version"',
        'python_full_version ~= "3"',
        'extra in 5 and "\x1b[2J" > os_name',
        "nonsense",
        'python_version in "' + "(" * 5000 + '"',
    ):
        yield f"a marker {marker[:40]}", Broken(fine, fails=False, requires=(f"tfx-core>=0.1; {marker}",))
    for line in (f"tfx-core>={digits}.dev1", "tfx-core[" + "x" * 5000, "tfx-core~=1.x", "tfx-core\x1b[2J>=1"):
        yield f"a requirement {line[:30]}", Broken(fine, fails=False, requires=(line,))
    for name in ("\x1b[2J", "x" * 5000, "\x9b", "é\u202e"):
        yield f"an entry point {name[:5]!r}", Broken(fine, fails=False, entry_point=name)
        yield f"a target {name[:5]!r}", Broken(fine, target=f":{name}")
        yield f"a version {name[:5]!r}", Broken(fine, fails=False, version=f"1{name}"[:100])
        yield f"a distribution {name[:5]!r}", Broken(fine, fails=False, distribution=f"tfx-{name}")
    yield "a version over two lines", Broken(fine, fails=False, version="1\n Error: forged")
    yield "the core's own name", Broken(fine, distribution="tfx-core")


GROUPS: Mapping[str, Mapping[str, Broken]] = {
    make.__name__: dict(make()) for make in (at_import, as_objects, levels, answers, fields, commands, metadata)
}
assert sys.version_info >= (3, 11)  # ExceptionGroup
