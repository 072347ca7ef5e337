"""Chat templates, rendered: jinja2's immutable sandbox with the helpers that the ecosystem's templates count on.

A template comes with a checkpoint, from a stranger. It reads what it is given and reaches nothing else: no attribute
that begins with an underscore, no file, no module, and it changes no message. Its loops go over what it is given and
over at most 100,000 numbers of a range; nested ones can take long and much memory all the same.
"""

import json
import traceback
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tfx_core.errors import TextError, described, in_one_line

_MARK = "__generation_mark__"
"""The variable that says what to put around what an assistant wrote; undefined where that is not asked for."""

_MARKS = "\ufdd0\ufdd1\ufdd2\ufdd3"
"""Code points that are no characters, of which no text has all."""


def render(template: str, variables: Mapping[str, Any]) -> str:
    """The text that a template makes of a chat; raises `TextError` that says in which line it fails, and why."""
    return _named(template, lambda: _compiled(template).render(variables))


def render_marked(template: str, variables: Mapping[str, Any]) -> tuple[str, list[tuple[int, int]]]:
    """The same, with the characters from where to where the template says that an assistant wrote them."""
    text = render(template, variables)
    mark = mark_for(text)
    first, *parts = render(template, {**variables, _MARK: mark}).split(mark)
    plain, spans = first, []
    for number, part in enumerate(parts):
        if number % 2 == 0:
            spans.append((len(plain), len(plain) + len(part)))
        plain += part
    return plain, spans


def mark_for(text: str) -> str:
    """A mark that a text does not hold; raises `TextError` for one that has them all."""
    mark = next((mark for mark in _MARKS if mark not in text), None)
    if mark is None:
        raise TextError("the chat holds U+FDD0 to U+FDD3, which are no characters; take them out")
    return mark


class _Generation(Extension):
    """``{% generation %}…{% endgeneration %}`` around what an assistant wrote."""

    tags = {"generation"}  # noqa: RUF012, as jinja2 declares it

    def parse(self, parser: Parser) -> nodes.Node:
        """The block as a call of `marked` with what stands in it."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        call = self.call_method("marked", [nodes.Name(_MARK, "load")])
        return nodes.CallBlock(call, [], [], body).set_lineno(line)

    def marked(self, mark: object, caller: Callable[[], str]) -> str:
        """What stands in the block, between marks where they are asked for."""
        text = caller()
        return f"{mark}{text}{mark}" if mark else text


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, "jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment


@lru_cache(maxsize=32)
def _compiled(template: str) -> Template:
    return _environment().from_string(template)


def _named(template: str, made: Callable[[], str]) -> str:
    try:
        return made()
    except Exception as error:  # a stranger's code can raise anything
        said = in_one_line(error.message or "", 500) if isinstance(error, TemplateError) else described(error, 500)
        raise TextError(f"chat template{_line(template, error)}: {said}") from error


def _line(template: str, error: Exception) -> str:
    """Where a template fails, as jinja2 lays its lines into the traceback."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
    line = error.lineno if isinstance(error, TemplateSyntaxError) else next(reversed(lines), None)
    if line is None:
        return ""
    written = template.splitlines()[line - 1 : line]
    return f", line {line}" + "".join(f" ({in_one_line(each.strip(), 60)})" for each in written)


def _to_json(value: object, **options: Any) -> str:
    """JSON as it is, where jinja2's own filter writes ``<`` as HTML needs it."""
    return json.dumps(value, **{"ensure_ascii": False, **options})


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)
