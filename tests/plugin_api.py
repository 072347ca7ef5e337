"""What is promised to third parties, seen in today's code: described, compared with the frozen list, added to it.

``python -m tests.plugin_api`` adds to ``api_1.json`` what the packages below have in their ``__all__`` and it lacks,
new members and new optional parameters of what it has included. It removes nothing and changes nothing else. With
wheels behind it, it notes what these import of tfx, once for each name of a distribution and its version.
"""

import ast
import dataclasses
import inspect
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

from tfx_testing import promised, promises
from tfx_testing.promises import FILE, Promises

LEVEL = 1

HELD_BACK: Mapping[str, tuple[str, ...]] = {
    "tfx_core": (),
    "tfx_core.alignment": ("alignment_of_generated",),
    "tfx_core.attention": (),
    "tfx_core.checkpoint": (  # how models are filled and written: an architecture says rules, the core does the rest
        *("HubOptions", "Packing", "Subfolder", "TensorEntry", "TensorFiles", "as_in_files", "collect_weights"),
        *("entries_as_in_files", "from_files", "kept_workplace", "load_weights", "moved", "read_tensors", "read_whole"),
        *("replacing_files", "taken_hub_options", "tensors_of", "to_disk", "unfilled_modules", "write_folder"),
        "written_json",
    ),
    "tfx_core.cli": ("cli", "display_width", "main", "padded", "shortened", "wrapped"),
    "tfx_core.collators": (),
    "tfx_core.embedding": ("cut_untold",),
    "tfx_core.errors": ("traced",),
    "tfx_core.fields": ("Form", "forms"),
    "tfx_core.first_use": (),
    "tfx_core.generation": (  # the engine's own talk with itself
        *("AbortableStreamer", "OPTION_NAMES", "REPORTS", "Strategy", "TextDecoder", "check_used"),
        *("options_from_files", "row_seed"),
    ),
    "tfx_core.habits": (  # what those who come from elsewhere call things: a list of ours
        *("Habit", "hint", "nearest", "no_attribute", "told", "translated", "understands", "unknown", "works"),
    ),
    "tfx_core.model": (  # what loading is made of; configs that are built on any text's
        *("Counts", "ExtendedConfig", "GENERATION_KEYS", "HeldTensors", "attention_of", "counted", "extended"),
        "stored_head",
    ),
    "tfx_core.model.heads": (),
    "tfx_core.nn": (
        # attention in chunks, by hashes and of segments that remember: parts of one or two families
        *("AlignedCall", "ArrangedBias", "Arrangement", "BucketNotes", "ChunkedAttention", "Chunking", "Distances"),
        *("FreshKeys", "HashedAttention", "HashedCall", "Hashing", "Met", "PositionKeys", "PositionTable"),
        *("RecurrentCall", "RelativeBiases", "RelativeGeometry", "RelativePosition", "SegmentPosition"),
        *("SharedProjections", "StreamObserver", "StreamRecorder", "TableRows", "TextObserver", "hashed_attention"),
        *("in_order", "normalised", "row_buckets", "self_last", "sorted_by"),
        # how rows are laid out, and weights packed
        *("Aligned", "Apart", "OneDnnLinear", "Ragged", "RowsPerSource", "Sorted", "banded", "copied_rows"),
        *("for_inference", "pack_linears", "packed_layers", "padded_layouts", "rows_of_sources", "true_first"),
        "twin_with",
    ),
    "tfx_core.plugins": ("registry",),
    "tfx_core.tasks": (),
    "tfx_core.text": ("Family", "GENERAL_OPTIONS", "family_of", "read_tokenizer", "tokenizer_class"),
    "tfx_core.text.recipes": (),
    "tfx_multimodal": (),
    "tfx_retrieval": ("DprEncoder", "EncoderPair", "load_pair", "merge_indexes"),
    "tfx_retrieval.training": (),
    "tfx_testing": (),
    "tfx_testing.toys": (),
    "tfx_testing.vocabularies": (),
    "tfx_training": ("Trained",),
}
"""Module that third parties import from -> names of its ``__all__`` that are for tfx's own distributions alone."""


class Parameter(NamedTuple):
    """A parameter as the list writes it: ``name``, ``name=`` with a default, ``*``, ``*name``, ``**name``, ``/``."""

    name: str
    kind: Any
    optional: bool


def signature(thing: Any) -> str | None:
    """How something is called: ``"(query, key, *, scale, dropout=)"``; ``None`` where Python cannot tell."""
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return None
    given = [each.replace(annotation=each.empty, default=each.empty) for each in parameters]
    marks = {each.name for each in parameters if each.default is not each.empty}
    parts, before = [], None
    for each in given:
        if before is inspect.Parameter.POSITIONAL_ONLY and each.kind is not before:
            parts.append("/")
        if each.kind is each.KEYWORD_ONLY and before not in (each.KEYWORD_ONLY, each.VAR_POSITIONAL):
            parts.append("*")
        star = "*" if each.kind is each.VAR_POSITIONAL else "**" if each.kind is each.VAR_KEYWORD else ""
        parts.append(f"{star}{each.name}{'=' if each.name in marks else ''}")
        before = each.kind
    if before is inspect.Parameter.POSITIONAL_ONLY:
        parts.append("/")
    return f"({', '.join(parts)})"


def described(thing: Any, module: str = "", name: str = "") -> dict[str, Any]:
    """What is promised of a public thing; what is described where it comes from is only named elsewhere."""
    if (home := _home(thing, module, name)) is not None:
        return {"kind": "same", "as": home}
    if inspect.isclass(thing) and not hasattr(thing, "__origin__"):
        told: dict[str, Any] = {"kind": "class"}
        if _is_made_by_tfx(thing):
            told["call"] = signature(thing)
        if dataclasses.is_dataclass(thing):
            told["fields"] = [each.name for each in dataclasses.fields(thing)]
        members = {name: how for name, how in sorted(_members(thing)) if name not in told.get("fields", ())}
        return {**told, "members": members} if members else told
    if isinstance(thing, FunctionType) or (callable(thing) and type(thing).__module__ == "functools"):
        return {"kind": "function", "call": signature(thing)}
    if type(thing).__module__ in ("typing", "types"):
        return {"kind": "alias"}
    return {"kind": "value", "type": type(thing).__name__}


def _is_made_by_tfx(kind: type) -> bool:
    """Whether a class of ours says how it is called; what Python says of others depends on its version."""
    if getattr(kind, "_is_protocol", False) or issubclass(kind, Enum):
        return False
    maker = next(base for base in kind.__mro__ if vars(base).keys() & {"__init__", "__new__"})
    return maker.__module__.startswith(("tfx_", "tests."))


def _home(thing: Any, module: str, name: str) -> str | None:
    """The package below this one that has the same thing in the list, under the same name."""
    return next(
        (
            other
            for other in HELD_BACK
            if other.startswith(f"{module}.")
            and name not in HELD_BACK[other]
            and name in import_module(other).__all__
            and getattr(import_module(other), name) is thing
        ),
        None,
    )


def _members(kind: type) -> Iterator[tuple[str, str]]:
    """Public methods, properties and annotated attributes that classes of tfx give a class."""
    seen: set[str] = set()
    for base in kind.__mro__:
        if not base.__module__.startswith("tfx_") or base.__module__.startswith("tfx_testing"):
            continue  # there are ever more checks, and what a test class says is not called
        abstract: frozenset[str] = getattr(base, "__abstractmethods__", frozenset())
        protocol = getattr(base, "_is_protocol", False)
        for name, member in vars(base).items():
            if name in seen or (name.startswith("_") and not (name == "__call__" and protocol)):
                continue
            seen.add(name)
            if isinstance(member, staticmethod | classmethod):
                member = getattr(kind, name)
            if inspect.isfunction(member) or inspect.ismethod(member):
                yield name, ("to define " if protocol or name in abstract else "") + (signature(member) or "()")
            else:
                yield name, "to define" if name in abstract else "attribute"
        for name in vars(base).get("__annotations__", {}):
            if name not in seen and not name.startswith("_"):
                seen.add(name)
                yield name, "attribute"


def today(modules: Sequence[str]) -> Promises:
    """What these modules have to promise."""
    return {
        module: {
            name: described(getattr(import_module(module), name), module, name)
            for name in sorted(import_module(module).__all__)
            if name not in HELD_BACK[module] and not name.startswith("__")
        }
        for module in modules
    }


def breaches(module: str) -> list[str]:
    """What today's code of a module no longer keeps of what was promised."""
    found: list[str] = []
    for name, was in promised(LEVEL)[module].items():
        where = f"{module}.{name}"
        if name not in import_module(module).__all__:
            found.append(f"{where} is gone from __all__")
            continue
        thing = getattr(import_module(module), name)
        if was["kind"] == "same" and getattr(import_module(was["as"]), name, None) is not thing:
            found.append(f"{where} is no longer that of {was['as']}")
        elif was["kind"] != "same":
            found += _breaches(where, was, described(thing))
    return found


def _breaches(where: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if was["kind"] != now["kind"]:
        yield f"{where} was a {was['kind']} and is a {now['kind']}"
        return
    if "call" in was:
        yield from _of_call(where, was["call"], now.get("call") or "()")
    # a class of positional fields is made and taken apart by their order
    if (
        was.get("fields") != [each for each in now.get("fields", ()) if each in was.get("fields", ())]
        and "fields" in was
    ):
        yield f"{where}: its fields were {was['fields']} and are {now.get('fields')}"
    members = now.get("members", {})
    for name, before in was.get("members", {}).items():
        after = members.get(name)
        if after is None:
            yield f"{where}.{name} is gone"
        elif before == after:
            continue
        elif before.startswith("to define"):
            yield f"{where}.{name}, which others define, was {before!r} and is {after!r}: theirs no longer fit"
        elif before.startswith("(") and after.startswith("("):
            yield from _of_call(f"{where}.{name}", before, after)
        elif not (before == "attribute" and after == "attribute"):
            yield f"{where}.{name} was {before!r} and is {after!r}"
    for name, after in members.items():
        if after.startswith("to define") and name not in was.get("members", {}):
            yield f"{where}.{name} is new and must be defined: classes of others lack it"


def _of_call(where: str, before: str, after: str) -> Iterator[str]:
    old, new = _parameters(before), _parameters(after)
    for name, parameter in old.items():
        if name not in new:
            yield f"{where}: its parameter {name!r} is gone"
        elif parameter.optional and not new[name].optional:
            yield f"{where}: its parameter {name!r} is required now"
        elif parameter.kind != new[name].kind and new[name].kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
            yield f"{where}: its parameter {name!r} is given in another way"
    for name, parameter in new.items():
        if name not in old and not parameter.optional:
            yield f"{where}: its parameter {name!r} is new and required"
    in_order = [name for name, each in old.items() if each.kind in _BY_PLACE]
    if in_order != [name for name, each in new.items() if each.kind in _BY_PLACE][: len(in_order)]:
        yield f"{where}: its parameters come in another order: {before} was, {after} is"


_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _parameters(call: str) -> dict[str, Parameter]:
    """The parameters of a signature in the list, by name."""
    words = [word for word in call.strip("()").split(", ") if word]
    kinds, found = inspect.Parameter, {}
    kind: Any = kinds.POSITIONAL_ONLY if "/" in words else kinds.POSITIONAL_OR_KEYWORD
    for word in words:
        if word in ("/", "*"):
            kind = kinds.POSITIONAL_OR_KEYWORD if word == "/" else kinds.KEYWORD_ONLY
            continue
        if word.startswith("**"):
            found[word] = Parameter(word, kinds.VAR_KEYWORD, True)
        elif word.startswith("*"):
            found[word] = Parameter(word, kinds.VAR_POSITIONAL, True)
            kind = kinds.KEYWORD_ONLY
        else:
            name = word.removesuffix("=")
            found[name] = Parameter(name, kind, word.endswith("="))
    return found


def added(frozen: Promises, now: Promises) -> Promises:
    """The list with what is new beside it; raises `SystemExit` that says what would have to change."""
    wrong = [breach for module in frozen for breach in breaches(module)]
    if wrong:
        raise SystemExit("the frozen list only grows, and this is no longer kept:\n  " + "\n  ".join(wrong))
    modules = sorted({*frozen, *now})
    return {each: dict(sorted({**frozen.get(each, {}), **now.get(each, {})}.items())) for each in modules}


WHEELS = Path(__file__).parent / "integration/wheels_of_api_1.json"
"""Wheels as they were built -> module -> the names that they import from it."""


def imports_of(wheel: Path) -> dict[str, list[str]]:
    """Module of tfx -> names that the sources in a wheel import from it, its own distribution aside."""
    found: dict[str, set[str]] = {}
    with zipfile.ZipFile(wheel) as archive:
        files = [name for name in archive.namelist() if name.endswith(".py")]
        own = {name.partition("/")[0] for name in files}
        for file in files:
            for module, name in imports_in(archive.read(file)):
                if module.partition(".")[0] not in own:
                    found.setdefault(module, set()).add(name)
    return {module: sorted(names) for module, names in sorted(found.items())}


def imports_in(source: str | bytes) -> Iterator[tuple[str, str]]:
    """Module of tfx and name of each that a source imports; of a module itself ``*``: nobody can tell what it takes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and _is_of_tfx(node.module or ""):
            yield from ((str(node.module), each.name) for each in node.names)
        elif isinstance(node, ast.Import):
            yield from ((each.name, "*") for each in node.names if _is_of_tfx(each.name))


def _is_of_tfx(module: str) -> bool:
    return module.partition(".")[0] in {each.partition(".")[0] for each in HELD_BACK}


def main() -> None:
    """Write the list, and what wheels import."""
    for wheel in map(Path, sys.argv[1:]):
        noted = json.loads(WHEELS.read_text(encoding="utf-8")) if WHEELS.exists() else {}
        name = "-".join(wheel.name.split("-")[:2])
        noted.setdefault(name, imports_of(wheel))
        WHEELS.write_text(json.dumps(dict(sorted(noted.items())), indent=1) + "\n", encoding="utf-8")
    file = Path(str(promises.__file__)).parent / FILE.format(level=LEVEL)
    frozen = promised(LEVEL) if file.exists() else {}
    whole = added(frozen, today(list(HELD_BACK)))
    lines = []
    for module, names in whole.items():
        own = ",\n".join(f"  {json.dumps(name)}: {json.dumps(told)}" for name, told in names.items())
        lines.append(f"{json.dumps(module)}: {{\n{own}\n }}")
    file.write_text("{\n " + ",\n ".join(lines) + "\n}\n", encoding="utf-8")
    sys.stdout.write(f"{file}: {sum(map(len, whole.values()))} names, {sum(map(len, frozen.values()))} before\n")


if __name__ == "__main__":
    main()
