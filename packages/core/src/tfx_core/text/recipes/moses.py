r"""Splitting words from punctuation as the Moses scripts do: Koehn et al. 2007, https://aclanthology.org/P07-2045.

Transformer-XL, XLM and FlauBERT were trained on text that went through ``normalize-punctuation`` and ``tokenizer``. The
steps below change a text as those scripts do, but are normalizers of the tokenizers library: they only insert, delete
and exchange characters, and `pre_tokenizers.WhitespaceSplit` does the rest. Where a script captures a character beside
the one that it works on, that character cannot serve the next match; ``(?!(?<=x)\G)`` says so here.

Two things differ: the abbreviations after which a full stop is kept are our own list, not the one of Moses; and letters
of scripts in the basic plane are those of the present Unicode, not of 2014, when the scripts' table was made.
"""

import unicodedata
from collections.abc import Iterable

from tokenizers import Regex, normalizers

from tfx_core.errors import TextError, shown
from tfx_core.text.recipes.charsmap import character_class

BLANKS = r"[\x{9}-\x{d}\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]"
"""What `str.split` takes for white space."""

_HARD_SPACE = "\u00a0"

_INITIALS = "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z"
_TITLES = "DR Dr Drs Hon Hr MM MR MS Messrs Mlle Mme Mr Mrs Ms Msgr Prof Rev Rt Sr St"
_OFFICES = "Adj Adv Asst Gov Insp Rep Reps Sen Sens Supt Surg"
_RANKS = "Adm Brig Capt Cmdr Col Comdr Corp Cpl Ens Gen Lt Maj Pfc Pvt Sfc Sgt"
_MONTHS = "Jan Feb Mar Apr Jun Jul Aug Sep Oct Nov Dec"
_OTHERS = "Bart Bldg Bros Hosp Nos Nr Op Ph Res Rs rev v vs"
ABBREVIATIONS = frozenset(f"{_INITIALS} {_TITLES} {_OFFICES} {_RANKS} {_MONTHS} {_OTHERS}".split())
"""English words that keep the full stop behind them, beside those with a dot within (U.S.)."""

BEFORE_NUMBERS = frozenset({"No", "Art", "pp"})
"""English words that keep it where a number follows."""

_TABLE = r"[\x{0}-\x{ffff}&&[^\p{Han}\x{ac00}-\x{d7a3}\x{363}-\x{36f}\x{1dd3}-\x{1de6}]]"
"""What the scripts' table of letters covers: no ideographs, no Hangul, no small letters above others."""

Step = tuple[str, str]
"""A regular expression, and what takes the place of its matches."""


def as_normalizers(steps: Iterable[Step]) -> list[normalizers.Normalizer]:
    """Steps as normalizers of the tokenizers library."""
    return [normalizers.Replace(Regex(pattern), content) for pattern, content in steps]


def check_language(language: str, label: str) -> None:
    """Raise `TextError` for a language whose apostrophes and abbreviations are not known here."""
    if language != "en":
        raise TextError(f'{label}: language is {shown(language)}; words can be split as Moses does in "en" alone')


PUNCTUATION_STEPS: tuple[Step, ...] = (
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
    # full stops and commas go before the closing quotation mark: one is set behind them, the one before taken away
    (r'"[,.]+\K', '"'),
    (r'"(?=[,.]+")', ""),
    (rf"(?!(?<={_HARD_SPACE})\G)\d\K{_HARD_SPACE}(?=\d)", "."),
    (rf"\A{BLANKS}+|{BLANKS}+\z", ""),
)
"""``normalize-punctuation`` for English: one form for each quotation mark and dash, blanks as English has them."""


def word_steps(protected: str = "") -> list[Step]:
    """``tokenizer`` for English with hyphens set apart (``@-@``): a blank between words and what is beside them.

    ``protected`` is a regular expression of signs that are left where they stand.
    """
    alpha = rf"[[\p{{Alphabetic}}&&{_TABLE}]{_marks()}]"
    alnum = rf"[[\p{{Alphabetic}}\p{{Nd}}&&{_TABLE}]{_marks()}]"
    number = r"[\p{Nd}\p{Nl}&&[\x{0}-\x{ffff}]]"
    not_number = rf"(?!{number})(?m:.)"
    other = rf"(?!{alnum}|[\s.'`,-]{'|' + protected if protected else ''})(?m:.)"
    return [
        (f"{BLANKS}+", " "),
        (r"[\x{0}-\x{1f}]", ""),
        (r"\A +| +\z", ""),
        (rf"(?={other})", " "),
        (rf"{other}\K", " "),
        (rf"{alnum}\K-(?={alnum})", " @-@ "),
        # runs of dots are words
        (r"(?<!\.)(?=\.\.)|(?<=\.\.)(?!\.)", " "),
        # commas, but for those between digits
        (rf"{not_number}\K,", " , "),
        (rf"(?!(?<=,)\G),(?={not_number})", " , "),
        (rf"(?<={number}),\z", " ,"),
        # apostrophes go with what is behind them between letters, and stand alone elsewhere
        (rf"(?!(?<=')\G)(?!{alpha})(?m:.)\K'(?!{alpha})(?=(?m:.))", " ' "),
        (rf"(?!(?<=')\G)(?!{alpha}|{number})(?m:.)\K'(?={alpha})", " ' "),
        (rf"(?!(?<=')\G){alpha}\K'(?!{alpha})(?=(?m:.))", " ' "),
        (rf"(?!(?<=')\G){alpha}\K'(?={alpha})", " '"),
        (rf"(?!(?<=')\G){number}\K'(?=s)", " '"),
        (r"\s+", " "),
        (r"\A | \z", ""),
        (_full_stops(alpha), " "),
        (r"\.' ?\z", " . ' "),
    ]


def _marks() -> str:
    """The marks that the scripts' table counts among letters: those that silence a vowel, or dot a letter, in India."""
    names = ((chr(code), unicodedata.name(chr(code), "")) for code in range(0x900, 0x12000))
    silent = [character for character, name in names if "VIRAMA" in name or "NUKTA" in name]
    return character_class([*silent, "\u0dca", "\u135f", "\u25cc"])[1:-1]


def _full_stops(alpha: str) -> str:
    """Before a full stop that ends a sentence: not that of an abbreviation, and not where a small letter follows."""
    return (
        r"(?<!\S)"
        rf"(?!(?=\S*{alpha})\S*\.\S*\.(?!\S))"  # U.S.
        rf"(?!(?:{'|'.join(sorted(ABBREVIATIONS))})\.(?!\S))"
        rf"(?!(?:{'|'.join(sorted(BEFORE_NUMBERS))})\. [0-9]+)"
        r"(?!\.+(?!\S))"
        r"\S+\K(?=\.(?:\z| (?!\p{Lower})))"
    )


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
