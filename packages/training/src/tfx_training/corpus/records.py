"""One record of JSON lines, or one row of a data set, as a document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tfx_core.errors import InputError, shown
from tfx_training.corpus.documents import Document, Part
from tfx_training.corpus.sentences import SentenceEnds, sentence_ends

FORMS = ("blank-lines", "files", "lines")
"""What a document is in a file of text: what stands between blank lines, the whole file, or a line."""

GROUP_KEYS = ("language", "lang", "code")

_FORMS_OF_A_RECORD = (
    '{"text": …}, {"sentences": […]}, {"translation": {"en": …, "fr": …}} or {"source": …, "target": …}, each with '
    f"{', '.join(GROUP_KEYS[:-1])} or {GROUP_KEYS[-1]} beside it or not"
)


@dataclass(frozen=True)
class Reading:
    """How files become documents."""

    documents: str = "blank-lines"
    """What a document is in a file of text, one of `FORMS`."""

    sentences: str = "rule"
    """Where sentences end: by ``"rule"``, at the end of ``"lines"``, ``"none"``, or as ``"sentencex"`` finds them."""

    group: str = ""
    """The language, or control code, of texts that do not tell theirs."""

    pair: str = ""
    """The two languages of translations, ``"en-fr"``: which files belong together, and which side is the first."""

    split: str = "train"
    """The part of a data set that is read, where it has several."""

    _by_language: dict[str, SentenceEnds] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.documents not in FORMS:
            raise InputError(f"documents={self.documents!r}: what a document is, is one of {', '.join(FORMS)}")
        if self.pair and len(set(self.languages)) != 2:
            raise InputError(f"pair={self.pair!r}: must be two languages with a hyphen between, like en-fr")
        self.ends_of("")

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The two of ``pair``, or none; a hyphen more is of neither of them: ``en_XX-fr_XX``."""
        return tuple(self.pair.split("-")) if self.pair and all(self.pair.split("-")) else ()

    @property
    def options(self) -> Mapping[str, str]:
        """All settings by name."""
        names = ("documents", "sentences", "group", "pair", "split")
        return {name: getattr(self, name) for name in names}

    def ends_of(self, language: str) -> SentenceEnds:
        """Where the sentences of a language end."""
        if language not in self._by_language:
            self._by_language[language] = sentence_ends(self.sentences, language)
        return self._by_language[language]

    def part(self, text: str, group: str = "") -> Part:
        """A text with its sentences."""
        group = group or self.group
        return Part(text, self.ends_of(group)(text), group)


def document_of(record: object, where: str, reading: Reading) -> Document:
    """A record as a document; raises `InputError` that says ``where`` it is not as it must be, and how it must be."""
    if not isinstance(record, Mapping):
        raise InputError(f"{where}: is {shown(record)}, and must be an object: {_FORMS_OF_A_RECORD}")
    group = _group(record, where)
    if record.get("translation") is not None:
        return _translation(record["translation"], f"{where}: translation", reading)
    if record.get("source") is not None or record.get("target") is not None:
        sides = [_text(record.get(key), f"{where}: {key}") for key in ("source", "target")]
        groups = reading.languages or (group or reading.group,) * 2
        return Document(tuple(Part(text, (), each) for text, each in zip(sides, groups, strict=True)))
    if record.get("sentences") is not None:
        return Document((_sentences(record["sentences"], f"{where}: sentences", group or reading.group),))
    if record.get("text") is None:
        has = ", ".join(map(shown, list(record)[:10])) or "none"
        raise InputError(f"{where}: its keys are {has}; a record is {_FORMS_OF_A_RECORD}")
    return Document((reading.part(_text(record["text"], f"{where}: text"), group),))


def _group(record: Mapping[str, object], where: str) -> str:
    key = next((key for key in GROUP_KEYS if record.get(key) is not None), None)
    return "" if key is None else _text(record[key], f"{where}: {key}")


def _translation(value: object, where: str, reading: Reading) -> Document:
    if not isinstance(value, Mapping) or len(value) < 2:
        raise InputError(f'{where} is {shown(value)}; it must be the two sides by language, {{"en": …, "fr": …}}')
    languages = reading.languages or tuple(value)
    if len(languages) != 2:
        raise InputError(f"{where} has {len(value)} languages, {', '.join(map(shown, value))}; say which two: pair=")
    parts = [Part(_text(value.get(language), f"{where}: {language}"), (), language) for language in languages]
    return Document(tuple(parts))


def _sentences(value: object, where: str, group: str) -> Part:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise InputError(f"{where} is {shown(value)}; it must be a list of texts")
    text, ends = "", []
    for number, each in enumerate(value):
        text += (" " if text else "") + _text(each, f"{where}[{number}]")
        ends.append(len(text))
    return Part(text, ends, group)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{where} is {'missing' if value is None else shown(value)}; it must be a text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"{where} holds half of a surrogate pair, which is no character; write the whole") from error
    return value
