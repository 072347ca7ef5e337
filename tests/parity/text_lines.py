"""Lines of text that are hard to tokenize: every script, marks, control characters, emoji; always the same ones."""

import random
import unicodedata
from collections.abc import Sequence

SCRIPTS = (
    *((0x20, 0x7E), (0xA0, 0xFF), (0x100, 0x24F), (0x250, 0x2AF), (0x2B0, 0x2FF), (0x300, 0x36F), (0x370, 0x3FF)),
    *((0x400, 0x52F), (0x530, 0x58F), (0x590, 0x5FF), (0x600, 0x6FF), (0x700, 0x74F), (0x900, 0x97F), (0x980, 0x9FF)),
    *((0xB80, 0xBFF), (0xE00, 0xE7F), (0xF00, 0xFFF), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137F)),
    *((0x13A0, 0x13FF), (0x1680, 0x169F), (0x1780, 0x17FF), (0x1800, 0x18AF), (0x1AB0, 0x1AFF), (0x1C90, 0x1CBF)),
    *((0x1D00, 0x1DFF), (0x1E00, 0x1EFF), (0x1F00, 0x1FFF), (0xA000, 0xA4CF), (0xA640, 0xA7FF), (0xAB30, 0xABBF)),
    *((0x10000, 0x100FF), (0x10400, 0x104FF), (0x16E40, 0x16E9F), (0x1E900, 0x1E95F)),
)
"""First and last code point of blocks of letters, with the marks and punctuation of their scripts."""

SYMBOLS = (
    *((0x2000, 0x206F), (0x2070, 0x209F), (0x20A0, 0x20CF), (0x20D0, 0x20FF), (0x2100, 0x214F), (0x2150, 0x218F)),
    *((0x2190, 0x21FF), (0x2200, 0x22FF), (0x2300, 0x23FF), (0x2460, 0x24FF), (0x2500, 0x257F), (0x2600, 0x27BF)),
    *((0x2C00, 0x2DFF), (0x2E00, 0x2E7F), (0xFE00, 0xFE0F), (0xFE20, 0xFE6F), (0xFFF0, 0xFFFD), (0x1D400, 0x1D7FF)),
    *((0x1F1E6, 0x1F1FF), (0x1F300, 0x1F64F), (0x1F680, 0x1F6FF), (0x1F900, 0x1F9FF), (0xE0000, 0xE007F)),
)
"""Punctuation, symbols, emoji, variation selectors and tags."""

EAST_ASIAN = (
    *((0x2E80, 0x2FDF), (0x3000, 0x303F), (0x3040, 0x30FF), (0x3130, 0x318F), (0x3200, 0x33FF), (0x3400, 0x34FF)),
    *((0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFB00, 0xFB4F), (0xFF00, 0xFFEF), (0x20000, 0x2003F)),
    *((0x2B740, 0x2B97F), (0x2F800, 0x2FA1F)),
)
"""Ideographs with their compatibility forms and radicals, kana, hangul, wide and narrow forms."""

CONTROLS = ((0x00, 0x1F), (0x7F, 0x9F), (0x200B, 0x200F), (0x2028, 0x202E), (0xE000, 0xE0FF))
"""Control, format, separator and private-use characters."""

BLANKS = (" ", " ", " ", "  ", "\t", "\n", "\u00a0", "\u3000", "\u2009", "", "-", "'")


def hard_lines(count: int, words: Sequence[str], seed: int = 7) -> list[str]:
    """``count`` lines that mix ``words`` with words made up of every block; without unassigned code points."""
    random_ = random.Random(seed)
    lengths = (random_.randint(0, 16) for _ in range(count))
    return ["".join(_word(random_, words) + random_.choice(BLANKS) for _ in range(length)) for length in lengths]


def _word(random_: random.Random, words: Sequence[str]) -> str:
    kind = random_.random()
    if kind < 0.3:
        return random_.choice(words)
    if kind < 0.4:  # a word with combining marks
        return "".join(
            letter + (chr(random_.randint(0x300, 0x36F)) if random_.random() < 0.4 else "")
            for letter in random_.choice(words)
        )
    blocks = SCRIPTS if kind < 0.65 else SYMBOLS if kind < 0.78 else EAST_ASIAN if kind < 0.92 else CONTROLS
    first, last = random_.choice(blocks)
    letters = (chr(random_.randint(first, last)) for _ in range(random_.randint(1, 8)))
    word = "".join(letter for letter in letters if unicodedata.category(letter) != "Cn")
    return word + random_.choice(words) if random_.random() < 0.3 else word
