"""The documentation builds without a fault, by both programs that read its settings, and loads nothing from afar."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(ROOT.glob("docs/**/*.md"))
LOADS = {
    **dict.fromkeys(("script", "img", "iframe", "source", "video", "audio", "embed", "track"), ("src", "srcset")),
    "link": ("href",),
    "object": ("data",),
    "use": ("href",),
}
"""Element -> its attributes whose addresses a browser loads by itself."""


class Loaded(HTMLParser):
    """The addresses that a page loads, and all that it has of styles."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.styles = ""
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        self.addresses += [value or "" for name, value in attrs if name in LOADS.get(tag, ())]
        self.styles += "".join(value or "" for name, value in attrs if name == "style")

    def handle_data(self, data: str) -> None:
        self.styles += data if self._in_style else ""


def outside(html: str) -> list[str]:
    """The addresses elsewhere that a page loads."""
    page = Loaded()
    page.feed(html)
    return [address for address in page.addresses if "//" in address] + of_styles(page.styles)


def of_styles(text: str) -> list[str]:
    """The addresses elsewhere that styles load."""
    found = re.findall(r"""(?:url\(|@import)\s*["']?([^"')\s;]+)""", text)
    return [address for address in found if "//" in address and not address.startswith("data:")]


@pytest.fixture(scope="module", params=["mkdocs", "zensical"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copy(ROOT / "mkdocs.yml", folder)
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", request.param, "build", "--strict"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


def test_every_page_and_picture_is_there(site: Path) -> None:
    names = {str(page.relative_to(ROOT / "docs").with_suffix(".html")) for page in PAGES}
    assert names <= {str(page.relative_to(site)) for page in site.rglob("*.html")}
    pictures = {str(file.relative_to(ROOT / "docs")) for file in ROOT.glob("docs/*/*.svg")}
    assert pictures <= {str(file.relative_to(site)) for file in site.rglob("*.svg")}
    assert list(site.rglob("*.py")) == []


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    assert {
        str(page): found for page in site.rglob("*.html") if (found := outside(page.read_text(encoding="utf-8")))
    } == {}
    assert {
        str(file): found for file in site.rglob("*.css") if (found := of_styles(file.read_text(encoding="utf-8")))
    } == {}


def test_tables_and_blocks_are_read_as_such(site: Path) -> None:
    for page in PAGES:
        html = (site / page.relative_to(ROOT / "docs").with_suffix(".html")).read_text(encoding="utf-8")
        text = page.read_text(encoding="utf-8")
        assert html.count("<table") == len(re.findall(r"^\|[-|: ]+\|$", text, re.MULTILINE)), page
        assert "```" not in html, page


@pytest.mark.parametrize(
    ("html", "count"),
    [
        ('<script src="assets/a.js"></script><a href="https://arxiv.org">paper</a><link href="a.css">', 0),
        ('<script src="https://unpkg.com/a.js"></script>', 1),
        ('<link rel="preconnect" href="//fonts.gstatic.com">', 1),
        ('<img src="a.svg"><img src="http://elsewhere/a.png">', 1),
        ("<style>p{background:url('https://elsewhere/a.png')}</style>", 1),
        ('<p style="background:url(data:image/png;base64,AA//)">', 0),
    ],
)
def test_an_address_elsewhere_is_noticed(html: str, count: int) -> None:
    assert len(outside(html)) == count
