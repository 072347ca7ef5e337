"""SentencePiece's normaliser table, expressed as normalizers of the tokenizers library.

The table (``precompiled_charsmap``) maps strings to strings. SentencePiece goes through a text from left to right and
replaces at each place the longest string that the table has. `normalizers.Precompiled` reads the same table, but asks
it about grapheme clusters: it drops the marks of a cluster whose first character has an entry, and it never finds an
entry of more than one character in a cluster of six bytes. Decomposed Vietnamese loses its tones that way. The steps
made here give `Precompiled` one character at a time and leave what the table composes to NFC:

1. cut the text into the units that the longest match makes of it, with a separator before every unit that begins with
   a character that could join what is before it;
2. keep the characters within a unit apart with a second separator, so that `Precompiled` maps each by itself;
3. take out the second separator and compose; take out the first.

Step 3 is right where an entry equals the composition of what its characters map to. It holds for Unicode's own tables;
every entry of which it does not hold (case folding has some) is replaced on its own.
"""

import struct
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from tokenizers import Regex, normalizers

from tfx_core.errors import TextError

# Control characters to the grapheme rules, ignorable by default, never assigned: they end clusters, no table maps them,
# NFC does not reach across them, and no text holds them.
_BETWEEN_UNITS = "\ufff0"
_WITHIN_UNIT = "\ufff1"
_STAND_INS = range(0x10F800, 0x10FFFE)
"""Private-use characters that stand for symbols and for entries of their own until the end."""

_JOINING = (
    r"\p{M}\x{e33}\x{eb3}\x{ff9e}\x{ff9f}"  # marks, and letters that Unicode lets join what is before them
    r"\x{200c}\x{200d}\x{1f3fb}-\x{1f3ff}\x{e0020}-\x{e007f}"  # joiners, emoji modifiers, tags
    r"\x{1160}-\x{11ff}\x{d7b0}-\x{d7ff}"  # Hangul vowels and finals
)

_LONGEST_ENTRY = 32
"""Characters; Unicode's longest entry has four. A damaged table could go round in circles."""

_LONGEST_VALUE = 1000
"""Bytes; Unicode's longest is 33. Many entries can point to one string."""

_MOST_CHARACTERS = 600_000
"""Characters met on all ways through a table; in SentencePiece's own ones there are 200,000."""


def charsmap_normalizers(table: bytes, symbols: Iterable[str], label: str) -> list[normalizers.Normalizer]:
    """Steps that change a text exactly as SentencePiece's table does; none for an empty table.

    ``symbols`` are user-defined pieces, which the table must not touch. Raises `TextError` naming ``label`` when the
    table is damaged.
    """
    if not table:
        return []
    try:
        entries, own = _read(table)
    except TextError as error:
        raise TextError(f"{label}: {error}") from None
    joining = entries.joining
    kept = sorted((symbol for symbol in symbols if entries.touches(symbol)), key=len, reverse=True)
    whole = [*((_unit(symbol, joining), symbol) for symbol in kept), *own]
    if len(whole) > len(_STAND_INS):
        raise TextError(
            f"{label}: precompiled_charsmap: {len(whole)} symbols and entries of its own need a stand-in each; there "
            f"are {len(_STAND_INS)}"
        )
    stand_ins = [chr(code) for code in _STAND_INS[: len(whole)]]

    replace = normalizers.Replace
    symbols_as_units = list(map(literal_pattern, kept))
    units = "|".join([*symbols_as_units, *([entries.pattern] if entries.pattern else []), "(?m:.)"])
    # \G: a unit that begins where the one before it ended. What comes after is a quick look that rules most places out.
    start = rf"(?:\G|(?!{joining}))(?={'|'.join([*symbols_as_units, f'(?m:.){joining}'])})"
    return [
        replace(Regex(rf"{start}(?>{units})\K(?={joining})"), _BETWEEN_UNITS),
        *(
            replace(Regex(rf"(?:{pattern})(?!{joining})"), stand_in)
            for (pattern, _), stand_in in zip(whole, stand_ins, strict=True)
        ),
        replace(Regex(rf"(?!\A)(?<!{_BETWEEN_UNITS})(?={joining})"), _WITHIN_UNIT),
        normalizers.Precompiled(table),
        replace(_WITHIN_UNIT, ""),
        normalizers.NFC(),
        replace(_BETWEEN_UNITS, ""),
        *(replace(stand_in, text) for (_, text), stand_in in zip(whole, stand_ins, strict=True)),
    ]


@lru_cache(maxsize=1)  # both models of a translator have the same table, and to read it takes a second
def _read(table: bytes) -> "tuple[_Entries, list[tuple[str, str]]]":
    """What a table holds, and its entries that are not the composition of their parts."""
    trie = _Trie(table)
    entries = _Entries.of(trie)
    return entries, entries.not_composed(trie)


def _unit(symbol: str, joining: str) -> str:
    """Regular expression of a symbol where it is a unit, and no entry that began earlier has its first character."""
    return rf"(?:(?!{joining})|(?<={_BETWEEN_UNITS})|\A){literal_pattern(symbol)}"


@dataclass(frozen=True)
class _Entries:
    """What the table holds, by character: entries of one character, and how the longer ones go on."""

    single: Mapping[str, str]
    """Character -> what it becomes alone."""
    first: Mapping[int, list[str]]
    """Place in the trie -> characters that lead to the same continuations, for those that begin longer entries."""
    joining: str
    """Class of the characters that can join a cluster, compose, or stand second or later in an entry."""
    pattern: str
    """Regular expression of the longest entry of more than one character; empty when there is none."""

    @classmethod
    def of(cls, trie: "_Trie") -> "_Entries":
        single: dict[str, str] = {}
        alike: defaultdict[tuple[tuple[str, int], ...], list[tuple[str, int]]] = defaultdict(list)
        for character, place in trie.characters(0).items():
            value = trie.value(place)
            if value is not None:
                single[character] = value
            continuations = tuple(sorted(trie.characters(place).items()))
            if continuations:
                alike[continuations].append((character, place))
        later: set[str] = {"\n"} if "\r" in single else set()
        by_tail: defaultdict[str, list[str]] = defaultdict(list)
        first: dict[int, list[str]] = {}
        for members in alike.values():
            place = members[0][1]
            characters = [character for character, _ in members]
            first[place] = characters
            by_tail[trie.tail(place, later)] += characters
        pattern = "|".join(f"{character_class(characters)}{tail}" for tail, characters in by_tail.items())
        return cls(single, first, f"[{_JOINING}{_ranges(later)}]", pattern)

    def touches(self, symbol: str) -> bool:
        """Whether the table, or the composition after it, could change a symbol that stands in a text."""
        beginnings = {character for characters in self.first.values() for character in characters}
        return any(
            character in self.single or character in beginnings or unicodedata.category(character)[0] == "M"
            for character in symbol
        )

    def not_composed(self, trie: "_Trie") -> list[tuple[str, str]]:
        """Entries that are not the composition of what their characters become: pattern and value of each value."""
        composed = normalizers.NFC().normalize_str
        right: dict[tuple[str, str], bool] = {}
        patterns: defaultdict[str, list[str]] = defaultdict(list)

        def visit(place: int, key: list[list[str]], parts: str) -> None:
            together: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
            for character, target in trie.characters(place).items():
                together[target, self.single.get(character, character)].append(character)
            for (target, part), characters in together.items():
                key.append(characters)
                value = trie.value(target)
                if value is not None:
                    entry = parts + part, value
                    if entry not in right:
                        right[entry] = composed(parts + part) == value
                    if not right[entry]:
                        patterns[value].append("".join(map(character_class, key)))
                if trie.characters(target):
                    visit(target, key, parts + part)
                key.pop()

        for place, characters in self.first.items():
            by_part: defaultdict[str, list[str]] = defaultdict(list)
            for character in characters:
                by_part[self.single.get(character, character)].append(character)
            for part, alike in by_part.items():
                visit(place, [alike], part)
        return [("|".join(alternatives), value) for value, alternatives in patterns.items()]


class _Trie:
    """The double-array trie of Darts-clone, read by character.

    A unit is 32 bits: the byte that leads to it (bits 0–7), whether a value hangs below it (bit 8), and the offset of
    its children (bits 10–30, shifted by eight more when bit 9 is set). The children of a unit lie at its own place
    exclusive-or its offset exclusive-or their byte, its value at byte 0, a unit with bit 31 set. Values are offsets
    into the strings behind the trie, each closed by a zero byte.
    """

    def __init__(self, table: bytes) -> None:
        size = int.from_bytes(table[:4], "little") if len(table) >= 4 else -1
        if size < 4 or size % 4 or 4 + size > len(table):
            raise self._damaged(f"its trie has {size} bytes of the {len(table)} that there are")
        self._units: tuple[int, ...] = struct.unpack(f"<{size // 4}I", table[4 : 4 + size])
        self._strings = table[4 + size :]
        try:
            self._strings.decode("utf-8")  # the library reads them all, also what no entry leads to
        except UnicodeDecodeError as error:
            raise self._damaged(f"byte {error.start} of its strings is not UTF-8") from error
        self._children: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for place, unit in enumerate(self._units):
            byte = unit & 0xFF
            if byte and not unit >> 31:
                self._children[place ^ byte].append((byte, place))
        self._characters: dict[int, dict[str, int]] = {}
        self._met = 0

    def characters(self, place: int) -> dict[str, int]:
        """Character -> place, of all characters that can follow a place."""
        if place not in self._characters:
            found: dict[str, int] = {}
            for byte, target in self._bytes(place):
                length = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
                spelled = [(bytes([byte]), target)]
                for _ in range(length - 1):
                    self._meet(len(spelled))
                    spelled = [
                        (start + bytes([byte]), target)
                        for start, at in spelled
                        for byte, target in self._bytes(at)
                        if 0x80 <= byte < 0xC0
                    ]
                for encoded, target in spelled:
                    try:
                        found[encoded.decode("utf-8")] = target
                    except UnicodeDecodeError as error:
                        raise self._damaged(f"it has an entry for {encoded!r}, which is not UTF-8") from error
            self._characters[place] = found
        found = self._characters[place]
        self._meet(len(found))
        return found

    def _meet(self, characters: int) -> None:
        """Count characters, so that a small table whose ways meet again and again ends in an error, not in hours."""
        self._met += characters
        if self._met > _MOST_CHARACTERS:
            raise self._damaged("its trie goes round in circles")

    def value(self, place: int) -> str | None:
        """What the string that ends at a place becomes; None when the string is only the beginning of entries."""
        if not self._has_value(place):
            return None
        start = self._units[self._base(place)] & 0x7FFF_FFFF
        end = self._strings.find(0, start, start + _LONGEST_VALUE)
        if end < 0:
            raise self._damaged(
                f"an entry at {start} of {len(self._strings)} bytes of strings does not end within {_LONGEST_VALUE}"
            )
        try:
            return self._strings[start:end].decode("utf-8")
        except UnicodeDecodeError as error:
            raise self._damaged(f"an entry is {self._strings[start:end][:40]!r}, which is not UTF-8") from error

    def tail(self, place: int, later: set[str], depth: int = 1) -> str:
        """Regular expression from a place to the end of the longest entry; its characters are added to ``later``."""
        if depth > _LONGEST_ENTRY:
            raise self._damaged(f"it has entries of more than {_LONGEST_ENTRY} characters")
        following = self.characters(place)
        if not following:
            return ""
        later.update(following)
        tails = {target: self.tail(target, later, depth + 1) for target in set(following.values())}
        ways: defaultdict[str, list[str]] = defaultdict(list)
        for character, target in following.items():
            rest = tails[target]
            ways[f"{rest}?" if rest and self._has_value(target) else rest].append(character)
        return "(?:" + "|".join(f"{character_class(characters)}{rest}" for rest, characters in ways.items()) + ")"

    def _has_value(self, place: int) -> bool:
        return bool(self._units[place] & 0x100)

    def _bytes(self, place: int) -> list[tuple[int, int]]:
        return self._children.get(self._base(place), [])

    def _base(self, place: int) -> int:
        unit = self._units[place]
        base = place ^ (unit >> 10) << ((unit & 0x200) >> 6)
        if base | 0xFF >= len(self._units):
            raise self._damaged(f"unit {place} of its trie points to {base} of {len(self._units)}")
        return base

    def _damaged(self, problem: str) -> TextError:
        return TextError(f"precompiled_charsmap is damaged: {problem}; fetch the file again")


def character_class(characters: Iterable[str]) -> str:
    """A regular expression for any one of the characters."""
    return f"[{_ranges(characters)}]"


def literal_pattern(text: str) -> str:
    """A regular expression for a text as it stands."""
    return "".join(rf"\x{{{ord(character):x}}}" for character in text)


def _ranges(characters: Iterable[str]) -> str:
    """The inside of a character class, neighbours drawn together."""
    ranges: list[list[int]] = []
    for code in sorted(map(ord, characters)):
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(rf"\x{{{low:x}}}" if low == high else rf"\x{{{low:x}}}-\x{{{high:x}}}" for low, high in ranges)
