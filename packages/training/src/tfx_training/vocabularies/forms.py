"""The forms in which vocabularies were released: the files of one, and how it is trained behind a family's steps."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers, trainers

from tfx_core.text.recipes import SPACE, Piece, PieceKind, python_steps, set_steps
from tfx_training.vocabularies.sentencepiece_writing import sentencepiece_file

_HEADER = "#version: 0.2\n"
_END_OF_WORD = "</w>"
_CONTINUED = "@@"


@dataclass(frozen=True)
class Trained:
    """A vocabulary in the order of its ids, with what the form has of each token."""

    tokens: Sequence[str]
    scores: Sequence[float] = ()
    merges: Sequence[tuple[str, str]] = ()


class Form(ABC):
    """One form of vocabulary files."""

    kind: ClassVar[str]
    """The kind of the vocabulary, as users name it."""

    order: ClassVar[Sequence[str]]
    """The roles of special tokens, in the order in which they follow each other where a config says nothing."""

    filler: ClassVar[Sequence[str]] = ()

    def __init__(self, names: Sequence[str], unknown: str) -> None:
        self.names = names
        self.unknown = unknown

    @abstractmethod
    def files(self, trained: Trained, special: Sequence[str]) -> Mapping[str, bytes]:
        """The files of a vocabulary."""

    @abstractmethod
    def train(self, steps: Backend, texts: Iterator[str], size: int, first: Sequence[str]) -> Trained:
        """Train a vocabulary of at most ``size`` tokens, which begins with ``first``, behind a tokenizer's steps."""


class Lines(Form):
    """A token a line: BERT's word pieces."""

    kind = "wordpiece"
    order = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token", "bos_token", "eos_token")
    filler = tuple(f"[unused{number}]" for number in range(100))

    def files(self, trained: Trained, special: Sequence[str]) -> Mapping[str, bytes]:
        """The one file."""
        return {self.names[0]: "".join(f"{token}\n" for token in trained.tokens).encode()}

    def train(self, steps: Backend, texts: Iterator[str], size: int, first: Sequence[str]) -> Trained:
        """As `Form`."""
        trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=[*first], show_progress=False)
        made = _trained(models.WordPiece(unk_token=self.unknown), _copied(steps), texts, trainer)
        return Trained(_in_order(made["vocab"]))


class Words(Lines):
    """A word a line: Transformer-XL's."""

    kind = "words"

    def train(self, steps: Backend, texts: Iterator[str], size: int, first: Sequence[str]) -> Trained:
        """As `Form`: the commonest words, after the special ones."""
        trainer = trainers.WordLevelTrainer(vocab_size=size, special_tokens=[*first], show_progress=False)
        made = _trained(models.WordLevel(unk_token=self.unknown), _copied(steps), texts, trainer)
        return Trained(_in_order(made["vocab"]))


class ByteBPE(Form):
    """A vocabulary of bytes and what they are joined to, with the merges: GPT-2's, RoBERTa's."""

    kind = "bpe"
    order = ("bos_token", "pad_token", "eos_token", "cls_token", "sep_token", "unk_token")

    def files(self, trained: Trained, special: Sequence[str]) -> Mapping[str, bytes]:
        """The vocabulary and the merges."""
        numbers = {token: number for number, token in enumerate(trained.tokens)}
        merges = _HEADER + "".join(f"{one} {other}\n" for one, other in trained.merges)
        return {self.names[0]: json.dumps(numbers, ensure_ascii=False).encode(), self.names[1]: merges.encode()}

    def train(self, steps: Backend, texts: Iterator[str], size: int, first: Sequence[str]) -> Trained:
        """As `Form`."""
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=[*first],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        made = _trained(models.BPE(), _copied(steps), texts, trainer)
        return Trained(_in_order(made["vocab"]), merges=_pairs(made["merges"]))


class WordBPE(ByteBPE):
    """Pieces of words, with a mark on the last of each: GPT's, XLM's."""

    def train(self, steps: Backend, texts: Iterator[str], size: int, first: Sequence[str]) -> Trained:
        """As `Form`; ends of lines are blanks, for merges stand a line each."""
        trainer = trainers.BpeTrainer(
            vocab_size=size, special_tokens=[*first], end_of_word_suffix=_END_OF_WORD, show_progress=False
        )
        model = models.BPE(unk_token=self.unknown, end_of_word_suffix=_END_OF_WORD)
        lines = (" ".join(text.splitlines()) for text in texts)
        made = _trained(model, self._words(steps), lines, trainer)
        return Trained(_in_order(made["vocab"]), merges=_pairs(made["merges"]))

    def _words(self, steps: Backend) -> Backend:
        """The steps that find words."""
        return _copied(steps)


class ContinuedBPE(WordBPE):
    """Pieces of words, with a mark on all but the last of each, and the end of a line among letters: CTRL's."""

    def files(self, trained: Trained, special: Sequence[str]) -> Mapping[str, bytes]:
        """The vocabulary, its marks the other way round, and the merges."""
        marked = [token if token in special else _marked(token) for token in (*trained.tokens, f"\n{_END_OF_WORD}")]
        return super().files(Trained([*dict.fromkeys(marked)], merges=trained.merges), special)

    def _words(self, steps: Backend) -> Backend:
        """The steps that find words, without the last, which joins the letters of each."""
        copied = _copied(steps)
        set_steps(copied, "pre_tokenizer", python_steps(steps)["pre_tokenizer"][:-1])
        return copied


class Pieces(Form):
    """A SentencePiece model: T5's, ALBERT's, XLNet's."""

    kind = "unigram"
    order = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token", "bos_token", "eos_token")
    filler = ("<s>", "</s>", "<pad>")

    def files(self, trained: Trained, special: Sequence[str]) -> Mapping[str, bytes]:
        """The one file."""
        scores = trained.scores or [0.0] * len(trained.tokens)
        pieces = [
            Piece(token, score, self._kind(token, special)) for token, score in zip(trained.tokens, scores, strict=True)
        ]
        return {self.names[0]: sentencepiece_file(pieces)}

    def train(self, steps: Backend, texts: Iterator[str], size: int, first: Sequence[str]) -> Trained:
        """As `Form`."""
        trainer = trainers.UnigramTrainer(
            vocab_size=size,
            special_tokens=[*first],
            unk_token=self.unknown,
            initial_alphabet=[SPACE],
            show_progress=False,
        )
        copied = _copied(steps)
        words = pre_tokenizers.Split(SPACE, "merged_with_next")  # no piece of SentencePiece's is of two words
        before = [] if copied.pre_tokenizer is None else [copied.pre_tokenizer]
        copied.pre_tokenizer = pre_tokenizers.Sequence([*before, words])
        made = _trained(models.Unigram(), copied, texts, trainer)["vocab"]
        return Trained([token for token, _ in made], [score for _, score in made])

    def _kind(self, token: str, special: Sequence[str]) -> PieceKind:
        if token == self.unknown:
            return PieceKind.UNKNOWN
        return PieceKind.CONTROL if token in special else PieceKind.NORMAL


def _marked(token: str) -> str:
    ends = token.endswith(_END_OF_WORD)
    return token.removesuffix(_END_OF_WORD) if ends else token + _CONTINUED


def _copied(steps: Backend) -> Backend:
    """A tokenizer with the steps of another up to where words are found; its model is to be trained."""
    copied = Backend(models.BPE())
    copied.normalizer, copied.pre_tokenizer = steps.normalizer, steps.pre_tokenizer
    for part, own in python_steps(steps).items():
        set_steps(copied, part, own)
    return copied


def _trained(model: models.Model, steps: Backend, texts: Iterator[str], trainer: Any) -> dict[str, Any]:
    """The ``model`` of the ``tokenizer.json`` of what was trained."""
    steps.model = model
    steps.train_from_iterator(texts, trainer)
    alone = Backend(steps.model)
    made: dict[str, Any] = json.loads(alone.to_str())["model"]
    return made


def _in_order(numbers: Mapping[str, int]) -> list[str]:
    return sorted(numbers, key=numbers.__getitem__)


def _pairs(merges: Sequence[str | Sequence[str]]) -> list[tuple[str, str]]:
    pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in merges)
    return [(one, other) for one, other in pairs]
