"""Translation: a text in, the same in another language out."""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from tfx_core.errors import ConfigError, InputError
from tfx_core.fields import Help, checked
from tfx_core.tasks.base import Result
from tfx_core.tasks.directions import Choice, Directions, Pair, directions_of
from tfx_core.tasks.generating import NewTokens
from tfx_core.tasks.text2text import Text2Text, Text2TextOptions
from tfx_core.tasks.windows import ItemError, TextWindow, check_text

if TYPE_CHECKING:
    from torch import Tensor

    from tfx_core.checkpoint import Folder

_KEYS = ("text", "src_lang", "tgt_lang")


@dataclass(frozen=True, kw_only=True)
class TranslationOptions(Text2TextOptions):
    """Options of `Translation`."""

    src_lang: Annotated[str | None, Help("language of the inputs, as --languages lists it")] = None
    tgt_lang: Annotated[str | None, Help("language to translate to, as --languages lists it")] = None

    choice: Choice = field(init=False, repr=False, compare=False, default=Choice())
    """What the call makes of languages, or one of its inputs of its own."""

    @property
    def asked(self) -> Pair:
        """The languages that a call names."""
        return Pair(self.src_lang, self.tgt_lang)

    def choosing(self, choice: Choice) -> Self:
        """A copy by which the inputs of one choice are translated."""
        options = copy.copy(self)
        object.__setattr__(options, "choice", choice)
        return options


class Source(str):
    """A text to translate, which knows the languages that its input or its call names."""

    asked: Pair

    def __new__(cls, text: str, asked: Pair) -> Self:
        """Of a text and these languages."""
        source = super().__new__(cls, text)
        source.asked = asked
        return source


@dataclass(frozen=True, slots=True)
class SourceWindow(TextWindow):
    """A row of a text that is translated by options of its own."""

    options: TranslationOptions = TranslationOptions()

    @classmethod
    def of(cls, window: TextWindow, options: TranslationOptions) -> Self:
        """A row with its options."""
        return cls(**{each.name: getattr(window, each.name) for each in fields(window)}, options=options)


class Translation(Text2Text[TranslationOptions]):
    """Texts, or ``{"text": …, "src_lang": …, "tgt_lang": …}``, in; dicts with ``translation_text`` out.

    ``src_lang`` and ``tgt_lang`` are languages that the tokenizer tells (mBART, Marian): what stands around a text says
    from which it is, and an option of generation, or the text, to which. Of other models they choose among the pairs
    that the checkpoint's ``task_specific_params`` names (``translation_en_to_de``), with the prefix and the settings
    there (T5). One of the two will do where it leaves no choice, and neither is needed where the files say which, for a
    model of one pair, or with a ``prefix``. A language may be named by its beginning, ``de`` for ``de_DE``, where only
    one begins so. `directions` has them all; a blank text is an empty one in every language.
    """

    name = "translation"
    options_type = TranslationOptions
    result_key = "translation_text"

    @classmethod
    def directions_of(
        cls,
        model: "str | Path",
        *,
        tokenizer: "str | Path | None" = None,
        revision: str | None = None,
        provider: str | None = None,
    ) -> Directions:
        """The languages of the model of a folder or hub id, whose weights are not loaded."""
        from tfx_core.checkpoint import read_whole
        from tfx_core.model.loading import load_tokenizer, read_config

        def read(folder: "Folder") -> Directions:
            own = load_tokenizer(folder if tokenizer is None else tokenizer, provider=provider)
            return directions_of(read_config(folder, provider)[1], f"{folder.label}/config.json", own)

        return read_whole(model, read, revision=revision)

    @property
    def directions(self) -> Directions:
        """The languages of the model."""
        return directions_of(self.model.config, self.model.file_label("config.json"), self.tokenizer)

    def check_options(self, options: TranslationOptions) -> None:
        """Refuse languages that the model does not know."""
        try:
            self.directions.check(options.asked)
        except InputError as error:
            raise InputError(f"{self.name}: {error}") from None
        super().check_options(options)

    def check_texts(self, options: TranslationOptions) -> None:
        """Refuse options that name too few languages, unless texts may name them."""
        directions, prefixed = self.directions, options.prefix is not None
        if not directions.texts_may_say:
            directions.choice(options.asked, "", self.model.generation_options, prefixed=prefixed)

    def settings_name(self, options: TranslationOptions) -> str:
        """That of the pair of languages, or of the task where no pair has its own."""
        return options.choice.settings or self.name

    def asked_for(self, options: TranslationOptions) -> Mapping[str, Any]:
        """What makes the model write the language."""
        return options.choice.options

    def parse(self, value: object, options: TranslationOptions) -> Source:
        """A string, or a dict of one and its languages, which go before those of the call."""
        if not isinstance(value, Mapping):
            return Source(check_text(value), options.asked)
        if "text" not in value or value.keys() - {*_KEYS}:
            keys = sorted(map(str, value))
            raise InputError(f"keys {keys}: a dict has 'text', and may have 'src_lang' and 'tgt_lang'")
        own = Pair(*(checked(value.get(name), str | None, name, InputError) for name in _KEYS[1:]))
        return Source(check_text(value["text"]), own.over(options.asked))

    def languages(self, options: TranslationOptions) -> Pair:
        """Those of the choice."""
        return options.choice.languages

    def encode(self, items: Sequence[str], options: TranslationOptions) -> list[list[TextWindow]]:
        """The rows of each text, which know by which options they are translated."""
        windows: list[list[TextWindow]] = [[] for _ in items]
        for choice, places in self._grouped(items, options):
            own = self.settled(options.choosing(choice))
            try:
                rows = super().encode([items[place] for place in places], own)
            except ItemError as error:
                raise ItemError(places[error.index], error.reason) from None
            for place, row in zip(places, rows, strict=True):
                windows[place] = [SourceWindow.of(each, own) for each in row]
        return windows

    def batches(self, windows: Sequence[TextWindow], options: TranslationOptions) -> Iterator[list[int]]:
        """Those of rows that are translated by the same options."""
        groups: dict[int, list[int]] = {}
        for number, window in enumerate(windows):
            groups.setdefault(id(_options_of(window)), []).append(number)
        for numbers in groups.values():
            own = [windows[number] for number in numbers]
            for batch in super().batches(own, _options_of(own[0])):
                yield [numbers[place] for place in batch]

    def compute(
        self, batch: "Mapping[str, Tensor]", windows: Sequence[TextWindow], options: TranslationOptions
    ) -> list[NewTokens]:
        """As of every such task, by the rows' options."""
        return super().compute(batch, windows, _options_of(windows[0]))

    def decode(
        self, item: str, windows: Sequence[TextWindow], rows: Sequence[NewTokens], options: TranslationOptions
    ) -> Result:
        """As of every such task, by the rows' options."""
        return super().decode(item, windows, rows, _options_of(windows[0]) if windows else options)

    def _grouped(self, items: Sequence[str], options: TranslationOptions) -> "Iterable[tuple[Choice, list[int]]]":
        """What each text is translated by, with the numbers of all for which it is the same."""
        directions, stored, prefixed = self.directions, self.model.generation_options, options.prefix is not None
        choose = cache(lambda asked, text: directions.choice(asked, text, stored, prefixed=prefixed))
        groups: dict[tuple[Pair, str | None], tuple[Choice, list[int]]] = {}
        says = directions.texts_may_say
        for index, item in enumerate(items):
            asked = item.asked if isinstance(item, Source) else options.asked
            try:
                choice = choose(asked, str(item) if says else "")
            except ConfigError:
                raise
            except InputError as error:
                raise ItemError(index, str(error)) from None
            groups.setdefault((choice.languages, choice.settings), (choice, []))[1].append(index)
        return groups.values()


def _options_of(window: TextWindow) -> TranslationOptions:
    assert isinstance(window, SourceWindow)
    return window.options
