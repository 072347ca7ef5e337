"""The pages that programs write are what they would write today."""

import importlib.util
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import tfx_core.errors

ROOT = Path(__file__).parents[2]
CHARACTER, LARGEST = 7.25, 20_000
"""Pixels of a character of 12 pixels in the fonts that are named, and bytes of a picture."""


def written(name: str) -> dict[Path, str]:
    """File and content of what a script among the pages writes."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.pages())


@pytest.mark.parametrize("name", ["write_architectures", "write_commands"])
def test_written_pages_are_what_is_written_today(name: str) -> None:
    pages = written(name)
    old = [
        str(file.relative_to(ROOT))
        for file, text in pages.items()
        if not file.exists() or file.read_text(encoding="utf-8") != text
    ]
    assert old == [], f"python docs/{name}.py writes them"
    if name == "write_architectures":
        assert {*pages} == {*(ROOT / "docs/architectures").iterdir()}


@pytest.mark.parametrize("picture", sorted(ROOT.glob("docs/architectures/*.svg")), ids=lambda file: file.stem)
def test_what_is_said_in_a_picture_stays_in_its_box(picture: Path) -> None:
    assert picture.stat().st_size < LARGEST
    outer, *inner = ElementTree.parse(picture).getroot().iter("{http://www.w3.org/2000/svg}rect")
    texts = list(ElementTree.parse(picture).getroot().iter("{http://www.w3.org/2000/svg}text"))
    assert len(texts) == len(inner) > 3
    for box, text in zip(inner, texts, strict=True):
        x, width = float(box.attrib["x"]), float(box.attrib["width"])
        assert float(text.attrib["x"]) + CHARACTER * len("".join(text.itertext())) <= x + width
        assert x + width <= float(outer.attrib["width"])


def test_every_error_has_its_cure() -> None:
    kinds = {
        name
        for name in tfx_core.errors.__all__
        if isinstance(found := getattr(tfx_core.errors, name), type) and issubclass(found, Exception)
    }
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    assert {*re.findall(r"^## (\w+Error)$", page, re.MULTILINE)} == kinds
