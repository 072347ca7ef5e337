r"""Splitting words from punctuation as the Moses scripts do: Koehn et al. 2007, https://aclanthology.org/P07-2045.

Transformer-XL, XLM and FlauBERT were trained on text that went through ``normalize-punctuation`` and ``tokenizer``. The
steps below change a text as those scripts do, but are normalizers of the tokenizers library: they only insert, delete
and exchange characters, and `pre_tokenizers.WhitespaceSplit` does the rest. Where a script captures a character beside
the one that it works on, that character cannot serve the next match; ``(?!(?<=x)\G)`` says so here.

Two things differ: the abbreviations after which a full stop is kept are our own lists, not those of Moses; and letters
of scripts in the basic plane are those of the present Unicode, not of 2014, when the scripts' table was made.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from tokenizers import Regex, normalizers

from tfx_core.text.recipes.charsmap import character_class, literal_pattern

BLANKS = r"[\x{9}-\x{d}\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]"
"""What `str.split` takes for white space."""

_HARD_SPACE = "\u00a0"

Step = tuple[str, str]
"""A regular expression, and what takes the place of its matches.

Where it repeats something, it is tried at the beginning of a run alone: a run without what must follow it would be
read once for every character in it.
"""

OUTER_BLANKS: Step = (rf"\A{BLANKS}+|(?<!{BLANKS}){BLANKS}+\z", "")
"""The blanks at both ends of a text."""


@dataclass(frozen=True)
class Language:
    """What the scripts do otherwise in one language than in another."""

    abbreviations: frozenset[str] = frozenset()
    """Words that keep the full stop behind them, beside those with a dot within (U.S.)."""

    before_numbers: frozenset[str] = frozenset()
    """Words that keep it where a number follows."""

    apostrophe: Literal["with what follows", "with what precedes", "alone"] = "alone"
    """What an apostrophe between letters goes with: *don 't*, *l' eau*, *ne ' er*."""

    quotation: Literal["behind stops", "before stops"] | None = None
    """Where a closing quotation mark goes that stands beside a full stop or a comma; None leaves it."""

    thousands: str = "."
    """What takes the place of a hard blank between digits."""

    hangul: bool = False
    """Whether Hangul are letters, which make words; else each stands alone, as ideographs do."""


_INITIALS = "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z"
_TITLES = "DR Dr Drs Hon Hr MM MR MS Messrs Mlle Mme Mr Mrs Ms Msgr Prof Rev Rt Sr St"
_OFFICES = "Adj Adv Asst Gov Insp Rep Reps Sen Sens Supt Surg"
_RANKS = "Adm Brig Capt Cmdr Col Comdr Corp Cpl Ens Gen Lt Maj Pfc Pvt Sfc Sgt"
_MONTHS = "Jan Feb Mar Apr Jun Jul Aug Sep Oct Nov Dec"
_OTHERS = "Bart Bldg Bros Hosp Nos Nr Op Ph Res Rs rev v vs"

ENGLISH = Language(
    frozenset(f"{_INITIALS} {_TITLES} {_OFFICES} {_RANKS} {_MONTHS} {_OTHERS}".split()),
    frozenset({"No", "Art", "pp"}),
    apostrophe="with what follows",
    quotation="behind stops",
)

_TABLE = r"[\x{0}-\x{ffff}&&[^\p{Han}\x{ac00}-\x{d7a3}\x{363}-\x{36f}\x{1dd3}-\x{1de6}]]"
"""What the scripts' table of letters covers: no ideographs, no Hangul, no small letters above others."""


def as_normalizers(steps: Iterable[Step]) -> list[normalizers.Normalizer]:
    """Steps as normalizers of the tokenizers library."""
    return [normalizers.Replace(Regex(pattern), content) for pattern, content in steps]


_ONE_FORM: tuple[Step, ...] = (
    ("\r", ""),
    # parentheses with a blank outside and none inside
    (r"(?=\()|(?<=\))", " "),
    (" +", " "),
    (r"(?<=\)) (?=[.!:?;,])", ""),
    (r"(?<=\() | (?=\))", ""),
    (r"(?<=\d) (?=%)", ""),
    (" (?=[:;])", ""),
    # quotation marks, dashes, dots
    ("`", "'"),
    ("''", ' " '),
    ("[„“”]", '"'),
    ("–", "-"),
    ("—", " - "),
    (" +", " "),
    ("[´‘‚’]", "'"),
    ("''", '"'),
    ("…", "..."),
    (f"{_HARD_SPACE}[«»]{_HARD_SPACE}|«{_HARD_SPACE}|{_HARD_SPACE}»|[«»]", '"'),
    # blanks that do not break a line
    (f"{_HARD_SPACE}(?=[%:?!;])", ""),
    (f"(?<=nº){_HARD_SPACE}|{_HARD_SPACE}(?=ºC|cm)|(?<=,){_HARD_SPACE}", " "),
    (" +", " "),
)
"""One form for each quotation mark and dash, blanks as English has them."""

_MOVED = "\ufff0"
"""Stands for a quotation mark that goes elsewhere; no character has this code."""

_QUOTATION: dict[str | None, tuple[Step, ...]] = {
    None: (),
    # one is set behind full stops and commas, the one before taken away
    "behind stops": ((r'"[,.]+\K', '"'), (r'"(?=[,.]+")', "")),
    # Full stops that end the text, or that a tag follows, stay where they are; a match takes the next character along.
    "before stops": (
        (_MOVED, ""),
        (',"', '",'),
        (rf'\G(?:(?<="){BLANKS}*[^<])?+(?:[^.]++|\.++(?!"[^<]))*+\.+\K"(?=[^<])', _MOVED),
        (rf"{_MOVED}{BLANKS}*\.\K\.(?=\.*{_MOVED})|(?<!\.)\.(?=\.*{_MOVED})", '"'),
        (_MOVED, "."),
    ),
}


def punctuation_steps(language: Language) -> list[Step]:
    """``normalize-punctuation``: one form for each quotation mark and dash, blanks as English has them."""
    return [
        *_ONE_FORM,
        *_QUOTATION[language.quotation],
        (rf"(?!(?<={_HARD_SPACE})\G)\d\K{_HARD_SPACE}(?=\d)", language.thousands),
        OUTER_BLANKS,
    ]


_PLAIN: tuple[Step, ...] = (
    (r"[\t-\r\x{1c}-\x{1f}\x{85}]", " "),
    ("[，、]", ","),
    (r"。\s*", ". "),
    ("[”“《》」「]", '"'),
    ("[∶：]", ":"),
    ("？", "?"),
    ("！", "!"),
    ("；", ";"),
    ("（", "("),
    ("）", ")"),
    *((digit, str(number)) for number, digit in enumerate("０１２３４５６７８９")),
    (r"．\s*", ". "),
    ("～", "~"),
    ("’", "'"),
    ("…", "..."),
    ("━", "-"),
    ("〈", "<"),
    ("〉", ">"),
    ("【", "["),
    ("】", "]"),
    ("％", "%"),
)
"""``replace-unicode-punctuation``, on a line of a text: tabs and ends of lines are blanks before all."""


def corpus_steps(language: Language) -> list[Step]:
    """The scripts before ``tokenizer`` for text from anywhere: wide signs, `punctuation_steps`, control characters.

    The last, ``remove-non-printing-char``, takes characters away that are not printed. It takes blanks among them for
    such, too, and joins the words at the end of a line with those of the next; here they stay apart.
    """
    return [*_PLAIN, *punctuation_steps(language), (r"\p{C}", "")]


_HANGUL = (
    r"\p{Hangul}\x{3001}-\x{3003}\x{3008}-\x{3011}\x{3013}-\x{301f}\x{302e}-\x{3030}\x{3037}\x{30fb}"
    r"\x{fe45}\x{fe46}\x{ff61}-\x{ff65}"
)
"""Hangul, and the signs that Unicode says stand in Korean as in Japanese; the scripts' table has both."""


def word_steps(language: Language, protected: str = "", hyphens: bool = False) -> list[Step]:
    """``tokenizer``: a blank between words and what is beside them; ``hyphens`` are set apart too (``@-@``).

    ``protected`` is a regular expression of signs that are left where they stand.
    """
    extra = _marks() + (_HANGUL if language.hangul else "")
    alpha = rf"[[\p{{Alphabetic}}&&{_TABLE}]{extra}]"
    alnum = rf"[[\p{{Alphabetic}}\p{{Nd}}&&{_TABLE}]{extra}]"
    number = r"[\p{Nd}\p{Nl}&&[\x{0}-\x{ffff}]]"
    not_number = rf"(?!{number})(?m:.)"
    other = rf"(?!{alnum}|[\s.'`,-]{'|' + protected if protected else ''})(?m:.)"
    return [
        (f"{BLANKS}+", " "),
        (r"[\x{0}-\x{1f}]", ""),
        (r"\A +| +\z", ""),
        (rf"(?={other})", " "),
        (rf"{other}\K", " "),
        *([(rf"{alnum}\K-(?={alnum})", " @-@ ")] if hyphens else []),
        # runs of dots are words
        (r"(?<!\.)(?=\.\.)|(?<=\.\.)(?!\.)", " "),
        # commas, but for those between digits
        (rf"{not_number}\K,", " , "),
        (rf"(?!(?<=,)\G),(?={not_number})", " , "),
        (rf"(?<={number}),\z", " ,"),
        *_apostrophes(language, alpha, number),
        (r"\s+", " "),
        (r"\A | \z", ""),
        (_full_stops(language, alpha), " "),
        (r"\.' ?\z", " . ' "),
    ]


def _apostrophes(language: Language, alpha: str, number: str) -> list[Step]:
    """Apostrophes go with one side between letters, and stand alone elsewhere."""
    if language.apostrophe == "alone":
        return [("'", " ' ")]
    english = language.apostrophe == "with what follows"
    fresh = r"(?!(?<=')\G)"
    before = f"{alpha}|{number}" if english else alpha
    return [
        (rf"{fresh}(?!{alpha})(?m:.)\K'(?!{alpha})(?=(?m:.))", " ' "),
        (rf"{fresh}(?!{before})(?m:.)\K'(?={alpha})", " ' "),
        (rf"{fresh}{alpha}\K'(?!{alpha})(?=(?m:.))", " ' "),
        (rf"{fresh}{alpha}\K'(?={alpha})", " '" if english else "' "),
        *([(rf"{fresh}{number}\K'(?=s)", " '")] if english else []),
    ]


@cache
def _marks() -> str:
    """The marks that the scripts' table counts among letters: those that silence a vowel, or dot a letter, in India."""
    names = ((chr(code), unicodedata.name(chr(code), "")) for code in range(0x900, 0x12000))
    silent = [character for character, name in names if "VIRAMA" in name or "NUKTA" in name]
    return character_class([*silent, "\u0dca", "\u135f", "\u25cc"])[1:-1]


def _full_stops(language: Language, alpha: str) -> str:
    """Before a full stop that ends a sentence: not that of an abbreviation, and not where a small letter follows."""
    return (
        r"(?<!\S)"
        rf"(?!(?=\S*{alpha})[^\s.]*\.\S++(?<=\.))"  # U.S.
        rf"(?!(?:{_any_of(language.abbreviations)})\.(?!\S))"
        rf"(?!(?:{_any_of(language.before_numbers)})\. [0-9]+)"
        r"(?!\.+(?!\S))"
        r"\S+\K(?=\.(?:\z| (?!\p{Lower})))"
    )


def _any_of(words: Iterable[str]) -> str:
    return "|".join(map(literal_pattern, sorted(words))) or "(?!)"


NUMBER_STEPS: tuple[Step, ...] = ((r"(?<=\d),(?=\d)", " @,@ "), (r"(?<=\d)\.(?=\d)", " @.@ "))
"""Numbers as WikiText-103 has them: ``1,000.5`` as ``1 @,@ 000 @.@ 5``."""

NUMBER_TEXT_STEPS: tuple[Step, ...] = ((" @,@ ", ","), (r" @\.@ ", "."))
"""The way back from `NUMBER_STEPS`."""


_JOINED = "\ufff0"
"""Stands between two words whose blank goes, so that both can still be told apart; no text holds it."""

_OPENS = "\ufff1"
"""Stands behind a quotation mark that opens."""

_CJK = (
    r"[\x{1100}-\x{11ff}\x{2e80}-\x{2fff}\x{3001}-\x{a4cf}\x{a840}-\x{a87f}\x{ac00}-\x{d7af}\x{f900}-\x{faff}"
    r"\x{fe30}-\x{fe4f}\x{ff65}-\x{ffdc}\x{17000}-\x{18aff}\x{1b000}-\x{1b12f}\x{1b170}-\x{1b2ff}\x{20000}-\x{2ffff}]"
)


def text_steps() -> list[Step]:
    """``detokenizer`` for English: words with blanks between them back to a text."""
    begin, end, gap = rf"(?<![^ {_JOINED}])", rf"(?![^ {_JOINED}])", f"[ {_JOINED}]"
    steps = [
        (r"(?:\A| )@-@(?: |\z)", "-"),
        (f"(?<={_CJK}) (?={_CJK})", _JOINED),
        (rf"{begin}[\p{{Sc}}(\[{{¿¡]+\K ", _JOINED),
        (rf"{gap}(?=[,.?!:;\\%}}\])]+{end})", _JOINED),
        (rf"{gap}(?='\p{{Alphabetic}})", _JOINED),
    ]
    for mark in ('["„“]', "'", "`", "''", "``"):
        quote = f"{begin}{mark}{end}"
        # An apostrophe behind an s is the genitive's, and opens nothing.
        opening = rf"(?<!s{gap}){quote}" if mark == "'" else quote
        other, outside = rf"(?:(?!{quote})(?m:.))*", rf"(?:(?!{opening})(?m:.))*"
        steps += [
            (rf"(?:\A|\G(?<={mark}){other}{quote}){outside}{opening}\K", _OPENS),
            (rf"{gap}(?={quote})", _JOINED),
            (f"{_OPENS}{gap}?", _JOINED),
        ]
    return [*steps, (_JOINED, ""), (" +", " "), (r"\A | \z", "")]
