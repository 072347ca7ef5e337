"""Summarization, translation and text2text-generation: a text in, another text out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeVar

from tfx_core.errors import InputError, shown
from tfx_core.fields import Between, Count, Help
from tfx_core.tasks.base import Result
from tfx_core.tasks.directions import NO_PAIR, Pair
from tfx_core.tasks.generating import GeneratingOptions, GeneratingTask, NewTokens, stored_prefix
from tfx_core.tasks.options import Flag
from tfx_core.tasks.splitting import joined, places, split
from tfx_core.tasks.windows import ItemError, TextWindow, check_text, length_limit, window_of

if TYPE_CHECKING:
    from tfx_core.alignment import Alignment, AlignmentRule
    from tfx_core.generation import Shortlist
    from tfx_core.text import Batch


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

    return_alignments: Annotated[
        bool, Flag("--alignments"), Help("give which word of the input each word of the text comes from, as 0-0 1-2")
    ] = False
    alignment_layer: Annotated[
        int | None,
        Help("decoder layer that tells it, from 0, or from the end from -1 (default: the middle, of few the last)"),
    ] = None
    alignment_step: Annotated[
        Literal["read", "written"] | None,
        Help("that at which the decoder reads a token, or the one at which it writes it (default: written of few)"),
    ] = None
    alignment_heads: Annotated[tuple[Count, ...], Help("attention heads of the layer that count (default: all)")] = ()

    clean_up_tokenization_spaces: Annotated[
        bool, Help("take away the blanks before punctuation that some tokenizers leave")
    ] = False

    shortlist: Annotated[
        str | None,
        Help("file of likely translations of each token, as tfx-core shortlist makes it: only those are computed"),
    ] = None

    further: ClassVar[frozenset[str]] = GeneratingOptions.further | {"truncation"}

    def alignment_rule(self) -> "AlignmentRule":
        """What tells which word comes from which."""
        from tfx_core.alignment import AlignmentRule  # which has torch

        return AlignmentRule(layer=self.alignment_layer, step=self.alignment_step, heads=self.alignment_heads)

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

    With ``return_alignments`` each dict has an ``alignment``, a `tfx_core.alignment.Alignment`: which word of the whole
    input each word of the output comes from, as ``"0-0 1-2"``. It is read off one more pass over the finished output.
    """

    heads = ("conditional-generation",)
    fallback: ClassVar[Mapping[str, Any]] = {"max_new_tokens": 256, "num_beams": 4}
    result_key: ClassVar[str]
    answers_blanks: ClassVar[bool] = False
    """Whether the model is asked what to make of a blank text; else that is an empty text."""
    _shortlist: "tuple[str, Shortlist] | None" = None
    """The file that was read last, and what it says."""

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
        rows = [[row] for row in self._windows(items, prefix, options)]
        for index, item in enumerate(items):
            if not (item.strip() or self.answers_blanks):
                rows[index] = []
                continue
            (row,) = rows[index]
            if not len(row):
                raise ItemError(index, "the tokenizer makes no tokens of this text")
            if most is None or len(row) <= most:
                continue
            if options.long_input == "error":
                raise ItemError(
                    index,
                    f"{len(row)} tokens, more than the {most} of an input; long_input='truncate' (--long-input "
                    "truncate) cuts it, 'split' splits it by sentences",
                )
            if options.long_input == "truncate":
                rows[index] = self._windows([item], prefix, options, most)
            else:
                rows[index] = self._split(index, item, prefix, most, options)
        return rows

    def decode(
        self, item: str, windows: Sequence[TextWindow], rows: Sequence[NewTokens], options: Text2TextT
    ) -> Result:
        """The texts of all windows, joined; of several outputs the first ones make the first result."""
        texts, target = [self._texts(row, options) for row in rows], self.languages(options).target
        if not texts:  # a blank one
            texts = [[""] * options.resolved.num_return_sequences]
        whole = texts[0] if len(texts) == 1 else [joined(parts, target) for parts in zip(*texts, strict=True)]
        alignments = self._alignments(item, windows, whole, rows, options) if options.return_alignments else ()
        return self.results(whole, self.result_key, alignment=alignments)

    def check_options(self, options: Text2TextT) -> None:
        """Refuse alignments that the model cannot tell, and a shortlist that cannot be read."""
        super().check_options(options)
        self.further_arguments(options)
        if options.return_alignments:
            options.alignment_rule().check(self.model)

    def _texts(self, rows: Sequence[Sequence[int]], options: Text2TextT) -> list[str]:
        clean = options.clean_up_tokenization_spaces
        return self.tokenizer.batch_decode(rows, skip_special_tokens=True, clean_up_tokenization_spaces=clean)

    def _alignments(
        self,
        text: str,
        windows: Sequence[TextWindow],
        whole: Sequence[str],
        rows: Sequence[NewTokens],
        options: Text2TextT,
    ) -> list["Alignment"]:
        """That of each text that was written, all windows together."""
        from tfx_core.alignment import Alignment, alignment_of_generated

        if not windows:  # of a blank one
            return [Alignment()] * len(whole)
        align = partial(
            alignment_of_generated,
            self.model,
            self.tokenizer,
            text,
            windows,
            start=options.resolved.start_ids[:1],
            decode=partial(self._texts, options=options),
            rule=options.alignment_rule(),
        )
        return [align(own, new) for own, new in zip(whole, zip(*rows, strict=True), strict=True)]

    def prefix(self, options: Text2TextT) -> str:
        """What stands before every input."""
        if options.prefix is not None:
            return options.prefix
        return stored_prefix(self.model, self.task_settings(options))

    def _split(self, index: int, text: str, prefix: str, most: int, options: Text2TextT) -> list[TextWindow]:
        def length(part: str) -> int:
            return len(self._tokenized([prefix + part], options)["input_ids"][0])

        if length("") >= most:
            raise ItemError(index, f"an input of {most} tokens has no room for any text beside prefix and end tokens")
        try:
            # the blank between two stretches belongs to neither
            parts = split(text, lambda part: length(part.strip()) <= most)
        except InputError as error:
            raise ItemError(index, str(error)) from None
        parts = [part.strip() for part in parts]
        windows = self._windows(parts, prefix, options)
        return [window.moved(begin) for window, begin in zip(windows, places(parts, text), strict=True)]

    def _windows(
        self, texts: Sequence[str], prefix: str, options: Text2TextT, most: int | None = None
    ) -> list[TextWindow]:
        """The row of each text behind the prefix; with offsets in the text where alignments need them."""
        whole, details = [prefix + text for text in texts], options.return_alignments
        batch = self._tokenized(
            whole,
            options,
            truncation=most is not None,
            max_length=most,
            return_attention_mask=True,  # rows are padded, whatever a tokenizer gives by default
            return_token_type_ids=False,
            return_offsets_mapping=details,
            return_special_tokens_mask=details,
        )
        rows = (window_of(self.model, batch, row, details, (text,)) for row, text in enumerate(whole))
        return [row.behind(len(prefix)) for row in rows]

    def _tokenized(self, texts: Sequence[str], options: Text2TextT, **how: Any) -> "Batch":
        source, target = self.languages(options)
        return self.tokenizer(list(texts), src_lang=source, tgt_lang=target, **how)


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
