"""Token classification: a label for every token, or the entities that the labels spell out."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated

from tfx_core.errors import InputError
from tfx_core.fields import Between, Help
from tfx_core.tasks.base import Result, Task
from tfx_core.tasks.entities import Aggregation, ScoredToken, drop_overlaps, group, merge_words
from tfx_core.tasks.options import LengthOptions
from tfx_core.tasks.text_classification import Logits, apply
from tfx_core.tasks.windows import TextWindow, check_text, tokenize, tokenize_in_windows

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text; one that came as words keeps them, and the character at which each begins."""

    text: str
    words: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TokenClassificationOptions(LengthOptions):
    """Options of `TokenClassification`."""

    aggregation_strategy: Annotated[
        Aggregation,
        Help(
            "none labels each token; simple joins neighbours with one label; first, average and max make each word "
            "agree on a label before that"
        ),
    ] = "none"
    ignore_labels: Annotated[tuple[str, ...], Help("labels to leave out")] = ("O",)
    stride: Annotated[
        int | None,
        Between(0),
        Help("read long texts in windows that share this many tokens, instead of refusing them"),
    ] = None
    is_split_into_words: Annotated[bool, Help("each input is a list of words instead of a text")] = False
    delimiter: Annotated[str, Help("what stands between the words of a text that came as words")] = " "


class TokenClassification(Task[TokenClassificationOptions, Sentence, Logits]):
    """Texts in, lists of dicts out: tokens with ``entity``, or entities with ``entity_group``.

    Both have ``score``, ``word``, and ``start`` and ``end`` in characters of the text; tokens also have their
    ``index``. For a text that came as words the offsets are those in the words joined by ``delimiter``.
    """

    name = "token-classification"
    heads = ("token-classification",)
    options_type = TokenClassificationOptions

    def check_options(self, options: TokenClassificationOptions) -> None:
        """Refuse windows without a strategy that joins what they find; warn where words are only guessed."""
        strategy = options.aggregation_strategy
        if options.stride is not None and strategy == "none":
            raise InputError(
                "token-classification: stride needs an aggregation_strategy, which joins what the windows find"
            )
        if strategy in ("first", "average", "max") and not self._prefix and not options.is_split_into_words:
            warnings.warn(
                f"aggregation_strategy={strategy!r}: this tokenizer does not mark the parts of a word, so a word is "
                "taken to be what stands between blanks",
                stacklevel=4,
            )

    def parse(self, value: object, options: TokenClassificationOptions) -> Sentence:
        """A string, or a list of words when the options say so."""
        if not options.is_split_into_words:
            return Sentence(check_text(value))
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise InputError(f"is_split_into_words: a list of words is needed, not {type(value).__name__}")
        words = tuple(check_text(word, "a word") for word in value)
        starts = accumulate((len(word) + len(options.delimiter) for word in words[:-1]), initial=0)
        return Sentence(options.delimiter.join(words), words, tuple(starts))

    def encode(self, items: Sequence[Sentence], options: TokenClassificationOptions) -> list[list[TextWindow]]:
        """One window each, or as many as a long text needs when there is a stride."""
        texts: list[str | list[str]] = [
            list(item.words) if options.is_split_into_words else item.text for item in items
        ]
        if options.stride is None:
            windows = [
                [window]
                for window in tokenize(
                    self.model,
                    self.tokenizer,
                    texts,
                    truncation=options.truncation,
                    max_length=options.max_length,
                    details=True,
                )
            ]
        else:
            windows = tokenize_in_windows(
                self.model, self.tokenizer, texts, stride=options.stride, max_length=options.max_length
            )
        if options.is_split_into_words:
            return [[_shifted(window, item) for window in own] for own, item in zip(windows, items, strict=True)]
        return windows

    def compute(
        self, batch: "Mapping[str, Tensor]", windows: Sequence[TextWindow], options: TokenClassificationOptions
    ) -> list[Logits]:
        """The logits, (S, C) each."""
        logits = self.model(**batch, return_dict=True).logits.float().cpu().numpy()
        length = logits.shape[1]
        return [own[self.place(window, length)] for own, window in zip(logits, windows, strict=True)]

    def decode(
        self,
        item: Sentence,
        windows: Sequence[TextWindow],
        rows: Sequence[Logits],
        options: TokenClassificationOptions,
    ) -> Result:
        """Tokens, or entities, whose labels are not ignored."""
        strategy = options.aggregation_strategy
        entities = []
        for window, logits in zip(windows, rows, strict=True):
            tokens = self._scored(item, window, logits)
            if strategy == "none":
                return [
                    {
                        "entity": label,
                        "score": float(token.scores.max()),
                        "index": token.index,
                        "word": token.token,
                        "start": token.start,
                        "end": token.end,
                    }
                    for token, label in zip(tokens, self._labels(tokens), strict=True)
                    if label not in options.ignore_labels
                ]
            tokens = merge_words([token for token in tokens if token.start < token.end], strategy, item.text)
            found = group(tokens, self._labels(tokens), item.text)
            entities += [entity for entity in found if entity["entity_group"] not in options.ignore_labels]
        return drop_overlaps(entities) if len(windows) > 1 else entities

    @property
    def _prefix(self) -> str:
        """What marks the parts of a word behind the first, ``##`` in WordPiece; empty where nothing does."""
        return getattr(self.tokenizer.vocabulary.backend.model, "continuing_subword_prefix", None) or ""

    def _labels(self, tokens: Sequence[ScoredToken]) -> list[str]:
        return [self.model.config.id2label[int(token.scores.argmax())] for token in tokens]

    def _scored(self, item: Sentence, window: TextWindow, logits: Logits) -> list[ScoredToken]:
        """The tokens of the text, added ones left out."""
        text, prefix = item.text, self._prefix
        ids = window.features["input_ids"]
        names = self.tokenizer.convert_ids_to_tokens(list(ids))
        tokens = []
        for index, (scores, (start, end)) in enumerate(zip(apply("softmax", logits), window.offsets, strict=True)):
            if window.special[index]:
                continue
            unknown = ids[index] == self.tokenizer.unk_token_id
            name = text[start:end] if unknown else names[index]
            if item.words:
                continues = index > 0 and window.words[index] == window.words[index - 1]
            elif prefix:
                continues = not unknown and name.startswith(prefix)
            else:  # without marked parts of words, what stands between blanks is one
                continues = start > 0 and not text[start - 1].isspace()
            tokens.append(ScoredToken(index, name, start, end, scores, continues))
        return tokens


def _shifted(window: TextWindow, item: Sentence) -> TextWindow:
    """A window whose offsets count from the start of the text, not of each word."""
    shifts = [0 if word is None else item.starts[word] for word in window.words]
    offsets = [(start + shift, end + shift) for (start, end), shift in zip(window.offsets, shifts, strict=True)]
    return replace(window, offsets=offsets)
