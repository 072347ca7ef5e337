"""Languages of a tokenizer: what stands around a text of each, and how a model is told which one to write."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from tokenizers import Tokenizer as Backend

from tfx_core.errors import InputError, shown
from tfx_core.habits.nearest import similar
from tfx_core.text.recipe import Settings
from tfx_core.text.vocabulary import Vocabulary

ONE_WAY = "this tokenizer tells no languages: its model translates one way, or none; leave it out"
_LISTED = 20

Part = Literal["source", "target"]
"""What is translated, or what it is translated to."""


class Direction(NamedTuple):
    """The names of the languages of a call; ``None`` where none is given."""

    source: str | None
    target: str | None


UNDIRECTED = Direction(None, None)

Frame = Callable[[Backend, Settings, Part, Direction], Any]
"""``(tokenizer, settings, part, direction)`` -> what puts special tokens around a text of this part.

A post-processor of the `tokenizers` library (`tfx_core.text.recipes.template`). The direction's languages are known.
"""


@dataclass(frozen=True)
class Languages:
    """How the tokenizers of a family tell languages; a recipe is pickled with it, so its functions are named ones."""

    tokens: Callable[[Backend, Settings], Mapping[str, str]]
    """Name of each language that this vocabulary has -> its token; none for a checkpoint of one direction."""

    frame: Frame
    """What stands around a text; where it depends on the languages, on the other's as well (Marian's ``>>fra<<``)."""

    option: Literal["forced_bos_token_id", "decoder_start_token_id"] | None = None
    """The option of generation that names the language to write; ``None`` where the source says it."""


class KnownLanguages:
    """The languages of one tokenizer."""

    def __init__(self, languages: Languages, settings: Settings, tokens: Mapping[str, str]) -> None:
        self._languages = languages
        self._settings = settings
        self.tokens = dict(tokens)
        """Name -> token."""

    def checked(self, name: object, option: str) -> str:
        """The name of a language that is known, also by its token; raises `InputError` with those that may be meant."""
        name = next((each for each, token in self.tokens.items() if token == name), name)
        if isinstance(name, str) and name in self.tokens:
            return name
        if not self.tokens:
            raise InputError(f"{option}={shown(name)}: {ONE_WAY}")
        near = similar(name, self.tokens) or sorted(self.tokens)[:_LISTED]
        raise InputError(
            f"{option}={shown(name)}: not one of the {len(self.tokens)} languages of this tokenizer; nearest are "
            f"{', '.join(near)}"
        )

    def framed(self, vocabulary: Vocabulary, part: Part, direction: Direction) -> Vocabulary:
        """The vocabulary that puts around a text what the direction's languages ask for."""
        return vocabulary.framed(
            (part, direction), lambda backend: self._languages.frame(backend, self._settings, part, direction)
        )

    def asking_for(self, vocabulary: Vocabulary, name: str) -> dict[str, int]:
        """The options of generation that make a model write a language; none where the source says it."""
        number = vocabulary.id(self.tokens[name])
        option = self._languages.option
        return {} if option is None or number is None else {option: number}
