"""Does what a reader of a page does: pastes its blocks one after the other, into one Python and one shell.

A block of Python or TOML that begins with the name of a file is that file. What a ``print`` prints is what stands
behind it as a comment, where that is a value and no words. A ``text`` block is what the block before it printed, whole.
``sh`` is run, but for what needs a clone or the hub; other languages are to be read.

``python pasting.py README.md`` pastes in the present folder; several pages are pasted one after the other, each anew.
"""

import io
import linecache
import os
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser

FILE = re.compile(r"# ([\w/.-]+\.(py|toml))\n")
"""What a block begins with that is a file."""
NOT_HERE = ("nox", "dist/", "google-t5/", "pip install", "accelerate launch")
"""Marks of commands that are run in a clone, or that need a checkpoint of the hub, or more of the machine."""
PROMISE = re.compile(r"\s*print\(.*\)  # (.+)")
VALUE = re.compile(r"['\"(\[{\d-]|(True|False|None|tensor|torch\.Size)\b")
"""How a comment begins that is what is printed; any other is about it."""
SIZE = re.compile(r"torch\.Size\(\[(.*?)\]\)")


class Page:
    """A page that is pasted: the module that its Python is in, and what its last block printed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.printed = ""
        self.module = ModuleType("__main__")
        languages = {"python": self.python, "toml": self.file, "sh": self.shell, "text": self.compare}
        parsers = [CodeBlockParser(language, evaluate) for language, evaluate in languages.items()]
        self.document = Document.parse(str(path), *parsers)

    def paste(self) -> None:
        """Do all of it; raises what the code raises, or `sybil.example.SybilFailure` for what it does not print."""
        sys.modules["__main__"] = self.module
        for example in self.document.examples():
            example.evaluate()

    def file(self, example: Example) -> str | None:
        """Write a file, where the block is one."""
        named = FILE.match(example.parsed)
        if named is not None:
            file = Path(named[1])
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(example.parsed[named.end() :], encoding="utf-8")
        return None

    def python(self, example: Example) -> str | None:
        """Run it, and compare what its lines print with what is said behind them."""
        if FILE.match(example.parsed):
            return self.file(example)
        source = "\n" * example.line + str(example.parsed)  # so that a traceback tells the line of the page
        name = str(self.path)
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        by_line: dict[int, str] = {}

        def note(*values: Any, **options: Any) -> None:
            with redirect_stdout(io.StringIO()) as printed:
                print(*values, **options)
            line = sys._getframe(1).f_lineno
            by_line[line] = by_line.get(line, "") + printed.getvalue()
            sys.stdout.write(printed.getvalue())

        self.module.__dict__["print"] = note
        with redirect_stdout(io.StringIO()) as printed:
            exec(compile(source, name, "exec"), self.module.__dict__)
        self.printed = printed.getvalue()
        print(self.printed, end="")
        return unkept(source, by_line)

    def shell(self, example: Example) -> str | None:
        """Run it, where it can be."""
        text = str(example.parsed)
        if any(mark in text for mark in NOT_HERE):
            return None
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(
            ["bash", "-euc", text], capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
        )
        self.printed = done.stdout
        if done.returncode:
            return f"{text}\nended with {done.returncode}\n{done.stdout}{done.stderr}"
        return None if done.stdout or "eval" in text else f"{text}\nprinted nothing\n{done.stderr}"

    def compare(self, example: Example) -> str | None:
        """What a ``text`` block says that the one before it printed."""
        promised = str(example.parsed).rstrip()
        return None if promised == self.printed.rstrip() else f"promised:\n{promised}\n\nprinted:\n{self.printed}"


def unkept(source: str, by_line: dict[int, str]) -> str | None:
    """Which lines print something else than stands behind them; ``None`` where none does."""
    faults = []
    for number, line in enumerate(source.splitlines(), start=1):
        promise = PROMISE.fullmatch(line)
        if promise is None or not VALUE.match(promise[1]):
            continue
        printed, promised = (SIZE.sub(r"(\1)", each.rstrip()) for each in (by_line.get(number, "nothing"), promise[1]))
        if printed != promised and not promised.startswith((f"{printed}; ", f"{printed}: ")):  # and words
            faults.append(f"line {number}: {line.strip()}\nprinted {printed}")
    return "\n".join(faults) or None


def main(pages: list[str]) -> None:
    """Paste each page in a folder of its own."""
    top = Path.cwd()
    for number, page in enumerate(pages):
        folder = top / str(number)
        folder.mkdir()
        os.chdir(folder)
        sys.path[0] = str(folder)
        Page(Path(page)).paste()


if __name__ == "__main__":
    main(sys.argv[1:])
