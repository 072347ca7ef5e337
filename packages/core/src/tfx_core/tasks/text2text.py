"""Summarization, translation and text2text-generation: a text in, another text out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeVar

from tfx_core.errors import InputError, shown
from tfx_core.fields import Between, Help
from tfx_core.tasks.base import Result
from tfx_core.tasks.directions import NO_PAIR, Pair
from tfx_core.tasks.generating import GeneratingOptions, GeneratingTask, NewTokens, row_of, stored_prefix
from tfx_core.tasks.splitting import joined, split
from tfx_core.tasks.windows import ItemError, TextWindow, check_text, length_limit

if TYPE_CHECKING:
    from tfx_core.generation import Shortlist


@dataclass(frozen=True, kw_only=True)
class Text2TextOptions(GeneratingOptions):
    """Options of the tasks that make a text of a text."""

    prefix: Annotated[str | None, Help("text before every input (default: what the checkpoint says)")] = None
    long_input: Annotated[
        Literal["error", "truncate", "split"],
        Help("an input longer than the model takes: refuse it, cut it, or split it by sentences and join the outputs"),
    ] = "error"
    max_source_length: Annotated[
        int | None, Between(1), Help("most tokens of an input (default: what model and tokenizer take)")
    ] = None

    shortlist: Annotated[
        str | None,
        Help("file of likely translations of each token, as tfx-core shortlist makes it: only those are computed"),
    ] = None
    clean_up_tokenization_spaces: Annotated[
        bool, Help("take away the blanks before punctuation that some tokenizers leave")
    ] = False

    further: ClassVar[frozenset[str]] = GeneratingOptions.further | {"truncation"}

    def replaced(self, **values: Any) -> Self:
        """A copy with these values; ``truncation`` is another word for cutting or refusing a ``long_input``."""
        if "truncation" not in values:
            return super().replaced(**values)
        cuts = values.pop("truncation")
        if not isinstance(cuts, bool | None):
            raise InputError(f"truncation={shown(cuts)}: must be True or False; for more there is long_input")
        if "long_input" in values:
            raise InputError("truncation and long_input say the same; give one of them")
        return super().replaced(**values, **({} if cuts is None else {"long_input": "truncate" if cuts else "error"}))


Text2TextT = TypeVar("Text2TextT", bound=Text2TextOptions)


class Text2Text(GeneratingTask[Text2TextT, str]):
    """Texts in, dicts with one text out; a list of dicts where several texts are asked for.

    As in transformers, 4 beams and up to 256 new tokens where neither caller nor checkpoint says otherwise, and the
    checkpoint's prefix for the task stands before every input.

    An input is too long when it has more tokens, prefix and special tokens included, than ``max_source_length``, by
    default than the model has positions for; a model without such a bound (T5) takes any length, and then an input is
    cut or split at the tokenizer's ``model_max_length``, with which the model was trained. What is split becomes
    stretches of whole sentences, each with the prefix, and the outputs are joined by blanks, or by nothing where the
    language has none.
    """

    heads = ("conditional-generation",)
    fallback: ClassVar[Mapping[str, Any]] = {"max_new_tokens": 256, "num_beams": 4}
    result_key: ClassVar[str]
    answers_blanks: ClassVar[bool] = False
    """Whether the model is asked what to make of a blank text; else that is an empty text."""

    _shortlist: "tuple[str, Shortlist] | None" = None
    """The file that was read last, and what it says."""

    def check_options(self, options: Text2TextT) -> None:
        """Refuse a shortlist that cannot be read."""
        super().check_options(options)
        self.further_arguments(options)

    def further_arguments(self, options: Text2TextT) -> Mapping[str, Any]:
        """The shortlist."""
        path = options.shortlist
        if path is None:
            return {}
        from tfx_core.generation import Shortlist  # torch, which a help page does without

        if self._shortlist is None or self._shortlist[0] != path:
            self._shortlist = path, Shortlist.read(path, self.tokenizer)
        return {"shortlist": self._shortlist[1]}

    def settings_name(self, options: Text2TextT) -> str:
        """That of the task."""
        return self.name

    def languages(self, options: Text2TextT) -> Pair:
        """From which language to which, as the tokenizer is told."""
        return NO_PAIR

    def parse(self, value: object, options: Text2TextT) -> str:
        """A string."""
        return check_text(value)

    def encode(self, items: Sequence[str], options: Text2TextT) -> list[list[TextWindow]]:
        """One window for each text, as many as it is split into, or none for a blank one."""
        prefix = self.prefix(options)
        positions = self.model.max_positions
        limit = length_limit(self.model, self.tokenizer, options.max_source_length, "max_source_length")
        most = options.max_source_length or (positions if options.long_input == "error" else limit)
        rows = [[ids] for ids in self._ids([prefix + item for item in items], options)]
        for index, item in enumerate(items):
            if not (item.strip() or self.answers_blanks):
                rows[index] = []
                continue
            (ids,) = rows[index]
            if not ids:
                raise ItemError(index, "the tokenizer makes no tokens of this text")
            if most is None or len(ids) <= most:
                continue
            if options.long_input == "error":
                raise ItemError(
                    index,
                    f"{len(ids)} tokens, more than the {most} of an input; long_input='truncate' (--long-input "
                    "truncate) cuts it, 'split' splits it by sentences",
                )
            if options.long_input == "truncate":
                rows[index] = self._ids([prefix + item], options, most)
            else:
                rows[index] = self._split(index, item, prefix, most, options)
        return [[row_of(ids) for ids in own] for own in rows]

    def decode(
        self, item: str, windows: Sequence[TextWindow], rows: Sequence[NewTokens], options: Text2TextT
    ) -> Result:
        """The texts of all windows, joined; of several outputs the first ones make the first result."""
        clean = options.clean_up_tokenization_spaces
        texts = [
            self.tokenizer.batch_decode(row, skip_special_tokens=True, clean_up_tokenization_spaces=clean)
            for row in rows
        ]
        if not texts:
            return self.results([""] * options.resolved.num_return_sequences, self.result_key)
        if len(texts) == 1:
            return self.results(texts[0], self.result_key)
        target = self.languages(options).target
        return self.results([joined(parts, target) for parts in zip(*texts, strict=True)], self.result_key)

    def prefix(self, options: Text2TextT) -> str:
        """What stands before every input."""
        if options.prefix is not None:
            return options.prefix
        return stored_prefix(self.model, self.task_settings(options))

    def _split(self, index: int, text: str, prefix: str, most: int, options: Text2TextT) -> list[list[int]]:
        def length(part: str) -> int:
            return len(self._ids([prefix + part], options)[0])

        if length("") >= most:
            raise ItemError(index, f"an input of {most} tokens has no room for any text beside prefix and end tokens")
        try:
            # the blank between two stretches belongs to neither
            parts = split(text, lambda part: length(part.strip()) <= most)
        except InputError as error:
            raise ItemError(index, str(error)) from None
        return self._ids([prefix + part.strip() for part in parts], options)

    def _ids(self, texts: Sequence[str], options: Text2TextT, most: int | None = None) -> list[list[int]]:
        source, target = self.languages(options)
        batch = self.tokenizer(
            list(texts), truncation=most is not None, max_length=most, src_lang=source, tgt_lang=target
        )
        ids: list[list[int]] = batch["input_ids"]
        return ids


class Summarization(Text2Text[Text2TextOptions]):
    """Texts in, dicts with ``summary_text`` out."""

    name = "summarization"
    options_type = Text2TextOptions
    result_key = "summary_text"


class Text2TextGeneration(Text2Text[Text2TextOptions]):
    """Texts in, dicts with ``generated_text`` out."""

    name = "text2text-generation"
    options_type = Text2TextOptions
    result_key = "generated_text"
    answers_blanks = True
