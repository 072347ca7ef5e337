"""From which languages to which a model translates, and how it is asked to."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from tfx_core.errors import InputError, shown
from tfx_core.tasks.generating import settings_in

if TYPE_CHECKING:
    from pathlib import Path

    from tfx_core.generation.options import GenerationOptions
    from tfx_core.model.config import ModelConfig
    from tfx_core.text import Tokenizer

_KEY = re.compile("translation_(.+?)_to_(.+)")
"""Of ``task_specific_params``: a pair of languages."""

_LISTED = 6


class Pair(NamedTuple):
    """Names of the languages of a translation; None for one that is not named."""

    source: str | None = None
    target: str | None = None

    def fits(self, other: "Pair") -> bool:
        """Whether each that this one names is the other's."""
        return all(mine is None or mine == its for mine, its in zip(self, other, strict=True))

    def over(self, other: "Pair") -> "Pair":
        """Its names, and the other's where it has none."""
        return Pair(*(its if mine is None else mine for mine, its in zip(self, other, strict=True)))

    def __str__(self) -> str:
        return f"{self.source} to {self.target}"


NO_PAIR = Pair()

Settings: TypeAlias = Mapping[Pair, str]
"""The pairs that ``task_specific_params`` names -> its keys."""


class Choice(NamedTuple):
    """What a text is translated by."""

    languages: Pair = NO_PAIR
    """What the tokenizer is told."""
    settings: str | None = None
    """The key of ``task_specific_params`` whose settings apply."""
    options: Mapping[str, Any] = {}
    """The options of generation that ask for a language."""


class Directions(Protocol):
    """What the files of a checkpoint say of languages."""

    @property
    def languages(self) -> Sequence[str]:
        """Those between which a call chooses by their names."""
        ...

    @property
    def pairs(self) -> Sequence[Pair]:
        """The translations that the files name."""
        ...

    @property
    def texts_may_say(self) -> bool:
        """Whether a text can name the target itself, by the token that a model learns it from."""
        ...

    def default(self, stored: "GenerationOptions") -> Pair:
        """The languages where a call names none; ``stored`` are the checkpoint's options of generation."""
        ...

    def check(self, asked: Pair) -> None:
        """Raise `InputError` for languages that the model does not know."""
        ...

    def choice(self, asked: Pair, text: str, stored: "GenerationOptions", *, prefixed: bool) -> Choice:
        """How a text is translated where these languages are asked for, and a prefix is or not.

        Raises `InputError` where the model has to be told more, or something else.
        """
        ...


@runtime_checkable
class TellsLanguages(Protocol):
    """A task whose models know languages; ``tfx-core run`` lists them where it is asked to."""

    @classmethod
    def directions_of(
        cls, model: "str | Path", *, tokenizer: "str | Path | None", revision: str | None, provider: str | None
    ) -> Directions:
        """Those of the model of a folder or hub id, whose weights are not loaded."""
        ...


def directions_of(config: "ModelConfig", where: str, tokenizer: "Tokenizer") -> Directions:
    """Those of a ``config.json``, which errors call ``where``, and a tokenizer."""
    keys = {key: _KEY.fullmatch(key) for key in settings_in(config, where)}
    settings = {Pair(*found.groups()): key for key, found in keys.items() if found}
    stated = (getattr(tokenizer, key, None) for key in ("source_lang", "target_lang"))
    own = Pair(*(name if isinstance(name, str) else None for name in stated))
    if not tokenizer.languages:
        return NamedPairs(settings, own)
    full = {Pair(*(_full(tokenizer, each) for each in pair if each)): key for pair, key in settings.items()}
    return ToldLanguages(tokenizer, full, own.source)


@dataclass(frozen=True)
class NamedPairs:
    """Of a model that is not told languages: pairs with prefixes and settings (T5), or the one that it was made for."""

    settings: Settings
    stated: Pair
    """The one pair, if the tokenizer's files say it."""

    languages: tuple[str, ...] = ()
    texts_may_say: bool = False

    @property
    def pairs(self) -> Sequence[Pair]:
        """Those with settings, else the one."""
        return list(self.settings) or ([] if None in self.stated else [self.stated])

    def default(self, stored: "GenerationOptions") -> Pair:
        """The only pair."""
        return self.pairs[0] if len(self.pairs) == 1 else NO_PAIR

    def check(self, asked: Pair) -> None:
        """As `Directions` has it."""
        if asked == NO_PAIR or any(asked.fits(pair) for pair in self.pairs):
            return
        named = zip(("src_lang", "tgt_lang"), asked, strict=True)
        said = ", ".join(f"{option}={shown(name)}" for option, name in named if name is not None)
        if not self.pairs:
            raise InputError(
                f"{said}: this model has no language codes and its config.json names no pairs of languages under "
                "task_specific_params; leave it out, or give the prefix that it was trained with"
            )
        way = "" if self.settings else "; it translates one way, so that the languages may be left out"
        raise InputError(f"{said}: this model knows {', '.join(map(str, self.pairs))}{way}")

    def choice(self, asked: Pair, text: str, stored: "GenerationOptions", *, prefixed: bool) -> Choice:
        """As `Directions` has it; with a prefix no language need be named."""
        self.check(asked)
        fitting = [pair for pair in self.pairs if asked.fits(pair)]
        if len(fitting) > 1 and not (prefixed and asked == NO_PAIR):
            raise InputError(
                f"this model translates {', '.join(map(str, fitting))}: choose with src_lang and tgt_lang, or give a "
                "prefix (an empty one where the inputs say themselves what to do)"
            )
        chosen = None if prefixed and asked == NO_PAIR else next(iter(fitting), None)
        return Choice(settings=None if chosen is None else self.settings.get(chosen))


@dataclass(frozen=True)
class ToldLanguages:
    """Of a model that is told languages, by its tokenizer and an option of generation, or by the source alone."""

    tokenizer: "Tokenizer"
    settings: Settings
    """By the tokenizer's names."""
    only_source: str | None
    """The one language of all sources, if the tokenizer's files say that there is one."""

    @property
    def languages(self) -> Sequence[str]:
        """The tokenizer's."""
        return self.tokenizer.languages

    @property
    def pairs(self) -> Sequence[Pair]:
        """Those with settings of their own; others are possible."""
        return list(self.settings)

    def default(self, stored: "GenerationOptions") -> Pair:
        """The tokenizer's own, the only ones with settings, or for the target what the ``stored`` options ask for."""
        return self._whole(Pair(), stored)

    def check(self, asked: Pair) -> None:
        """As `Directions` has it."""
        self.tokenizer.directed(*self._told(asked))

    def choice(self, asked: Pair, text: str, stored: "GenerationOptions", *, prefixed: bool) -> Choice:
        """As `Directions` has it; a text may name its target itself, by the token that tells a model the language."""
        self.check(asked)
        whole = self._whole(self._told(asked), stored)
        if whole.target is None and self._names_itself(text):
            return Choice(whole)
        missing = [name for name, each in zip(("src_lang", "tgt_lang"), whole, strict=True) if each is None]
        between = "between"
        if self.texts_may_say:
            missing, between = [name for name in missing if name == "tgt_lang"], "to"
        if missing:
            raise InputError(f"this model translates {between} {self._listed}: choose with {' and '.join(missing)}")
        assert whole.target is not None
        return Choice(whole, self.settings.get(whole), self.tokenizer.asking_for(whole.target))

    def _told(self, asked: Pair) -> Pair:
        """The languages by the tokenizer's names, without what it need not be told."""
        source, target = (None if each is None else _full(self.tokenizer, each) for each in asked)
        return Pair(None if source == self.only_source else source, target)

    def _whole(self, told: Pair, stored: "GenerationOptions") -> Pair:
        """The languages of a call that names these."""
        own = Pair(self.tokenizer.src_lang, self.tokenizer.tgt_lang)
        fitting = [pair for pair in self.settings if told.fits(pair)]
        if own.target is None and len(fitting) == 1:
            return fitting[0]
        return told.over(own).over(Pair(target=self._asked_by(stored)))

    def _asked_by(self, stored: "GenerationOptions") -> str | None:
        """The language that options of generation ask for."""
        for name in self.languages:
            options = self.tokenizer.asking_for(name)
            if options and all(getattr(stored, option) == number for option, number in options.items()):
                return name
        return None

    @property
    def texts_may_say(self) -> bool:
        """Whether it is the source from which the model learns what to write."""
        return not self.tokenizer.asking_for(self.languages[0])

    def _names_itself(self, text: str) -> bool:
        """Whether a text begins with a token, a language's name between signs, from which the model learns it."""
        if not self.texts_may_say:
            return False
        first = self.tokenizer.convert_ids_to_tokens(self.tokenizer(text, add_special_tokens=False)["input_ids"][:1])
        named = re.fullmatch(r"\W+(.+?)\W+", first[0]) if first else None
        return named is not None and named[1] in self.languages

    @property
    def _listed(self) -> str:
        names = sorted(self.languages)
        return ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")


def _full(tokenizer: "Tokenizer", name: str) -> str:
    """A language's name, which may be given by its first part: ``de`` for ``de_DE``, if only one begins so."""
    names = [each for each in tokenizer.languages if re.split("[-_]", each)[0] == name]
    return names[0] if name not in tokenizer.languages and len(names) == 1 else name
