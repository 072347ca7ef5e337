"""Languages of a tokenizer: what stands around a text of each, and how a model is told which one to write."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeAlias

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from tfx_core.errors import InputError, shown
from tfx_core.habits.nearest import similar
from tfx_core.text.recipe import Settings
from tfx_core.text.vocabulary import Vocabulary

ONE_WAY = "this tokenizer tells no languages: its model translates one way, or none; leave it out"
_LISTED = 60

Part = Literal["source", "target"]
"""What is translated, or what it is translated to."""


class Direction(NamedTuple):
    """The names of the languages of a call; ``None`` where none is given."""

    source: str | None
    target: str | None


UNDIRECTED = Direction(None, None)


def _nothing_stated(settings: Settings) -> Direction:
    return UNDIRECTED


Frame = Callable[[Backend, Settings, Part, Direction], Any]
"""``(tokenizer, settings, part, direction)`` -> what puts special tokens around a text of this part.

A post-processor of the `tokenizers` library (`tfx_core.text.recipes.template`). The direction's languages are known.
"""


LanguageOption: TypeAlias = Literal["forced_bos_token_id", "decoder_start_token_id"] | None
"""The option of generation that names the language to write; ``None`` where the source says it."""


@dataclass(frozen=True)
class Languages:
    """How the tokenizers of a family tell languages; a recipe is pickled with it, so its functions are named ones."""

    tokens: Callable[[Backend, Settings], Mapping[str, str]]
    """Name of each language that this vocabulary has -> its token; none for a checkpoint of one direction."""

    frame: Frame
    """What stands around a text; where it depends on the languages, on the other's as well (Marian's ``>>fra<<``)."""

    option: LanguageOption | Callable[[Backend, Settings], LanguageOption] = None
    """How a model is told which language to write, or what says it of a tokenizer."""

    source: str | None = None
    """The language of a source where none is named; the first known one where a vocabulary lacks it."""

    stated: Callable[[Settings], Direction] = _nothing_stated
    """The languages that the files of a checkpoint say it was made for; a call may name them where none is told."""

    special: bool = False
    """Whether the languages' tokens are special ones: found in a text, left out of what is decoded."""

    def complete(self, backend: Backend, settings: Settings) -> Settings:
        """The settings of a tokenizer that has these languages."""
        if not self.special:
            return settings
        known = {token.content for token in settings.additional_special_tokens}
        tokens = (token for token in self.tokens(backend, settings).values() if token not in known)
        added = (AddedToken(token, special=True, normalized=False) for token in tokens)
        return replace(settings, additional_special_tokens=(*settings.additional_special_tokens, *added))


class KnownLanguages:
    """The languages of one tokenizer, which further tokens can make more."""

    def __init__(self, languages: Languages, settings: Settings) -> None:
        self._languages = languages
        self._settings = settings

    def tokens(self, vocabulary: Vocabulary) -> Mapping[str, str]:
        """Name of each language -> its token."""
        return vocabulary.once("languages", lambda: self._languages.tokens(vocabulary.backend, self._settings))

    def checked(self, vocabulary: Vocabulary, part: Part, name: object, option: str) -> str:
        """The name of a language that is known, also by its token; raises `InputError` with those that may be meant."""
        tokens, stated = self.tokens(vocabulary), self._stated(vocabulary, part)
        name = next((each for each, token in tokens.items() if token == name), name)
        if isinstance(name, str) and (name in tokens or name == stated):
            return name
        if not tokens:
            own = "" if stated is None else f"; its {part} is {shown(stated)}"
            raise InputError(f"{option}={shown(name)}: {ONE_WAY}{own}")
        near = _near(name, tokens)
        own = "" if stated is None else f"; its files say that the {part} is {shown(stated)}"
        raise InputError(
            f"{option}={shown(name)}: not one of the {len(tokens)} languages of this tokenizer; "
            f"{'nearest' if near else 'there'} are {', '.join(near or sorted(tokens)[:_LISTED])}{own}"
        )

    def _stated(self, vocabulary: Vocabulary, part: Part) -> str | None:
        """The language that the files state; one of a target is to be told where there are any to tell."""
        stated = self._languages.stated(self._settings)
        return stated.source if part == "source" else None if self.tokens(vocabulary) else stated.target

    def default_direction(self, vocabulary: Vocabulary) -> Direction:
        """From which language to which, where neither a folder nor a caller says it."""
        tokens, source = self.tokens(vocabulary), self._languages.source
        if source is not None and source not in tokens:
            source = next(iter(tokens), None)
        return Direction(source, None)

    def framed(self, vocabulary: Vocabulary, part: Part, direction: Direction) -> Vocabulary:
        """The vocabulary that puts around a text what the direction's languages ask for."""
        return vocabulary.framed(
            (part, direction), lambda backend: self._languages.frame(backend, self._settings, part, direction)
        )

    def asking_for(self, vocabulary: Vocabulary, targets: Vocabulary, name: str) -> dict[str, int]:
        """The options of generation that make a model write a language; none where the source says it.

        ``targets`` are the tokens of what it writes.
        """
        token, option = self.tokens(vocabulary).get(name), self._languages.option
        number = None if token is None else targets.id(token)
        if callable(option):
            option = option(vocabulary.backend, self._settings)
        return {} if option is None or number is None else {option: number}


def _near(name: object, known: Collection[str]) -> list[str]:
    """The languages that a name may mean: what begins with the same code (``de``, ``pt_BR``), else what is like it."""
    code = re.split("[-_]", str(name).lower())[0]
    return [each for each in sorted(known) if re.split("[-_]", each.lower())[0] == code] or similar(name, known)
