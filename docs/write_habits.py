"""Write the table of habits into the page that shows it: `python docs/write_habits.py`."""

import re
from pathlib import Path

from tfx_core.habits.table import as_markdown

PAGE = Path(__file__).parent / "coming-from-transformers.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of the table -->\n"


def main() -> None:
    """Replace what stands between the two marks."""
    text = PAGE.read_text(encoding="utf-8")
    table = f"{BEGIN}\n{as_markdown()}\n{END}"
    PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: table, text, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
