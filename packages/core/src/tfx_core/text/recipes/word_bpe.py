"""BPE of words, with a mark on the piece that ends one, or on the others: Sennrich et al. 2016,
https://arxiv.org/abs/1508.07909.

The vocabulary is often that of a corpus that was read with the merges, cut to its commonest pieces. Then it lacks
pieces that the merges go through: with *go* + *vern* and *govern* + *ment* it may have *government* without *govern*.
The reference follows such merges, and what is left of a piece without an id is ``unk_token``. The model of the
tokenizers library knows no piece without an id, so a step in Python does the same here (`_Merging`), and such a
tokenizer is saved as its own files alone, without a ``tokenizer.json``. So is one whose vocabulary marks the pieces
that do not end a word (``@@``): the merges still mark the last one, and the library joins no such names.

A token's offsets are the characters of the text that its letters came from: a comma that the cleaning replaced by
another, or a letter that it took an accent from, counts as itself, a blank that it put between two words as nothing.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenizers import PreTokenizedString, Regex, Token, Tokenizer, decoders, models, pre_tokenizers

from tfx_core.errors import TextError, shown
from tfx_core.text.python_steps import Steps, set_steps
from tfx_core.text.recipe import JSON, Recipe, Settings, TextFacts, as_stated
from tfx_core.text.recipes import words
from tfx_core.text.recipes.template import template
from tfx_core.text.vocabulary_files import read_counted_merges, read_vocabulary_object

if TYPE_CHECKING:
    from tfx_core.checkpoint import Folder

END_OF_WORD = "</w>"

Merges = list[tuple[str, str]]
Known = Mapping[str, tuple[int, str]]
"""Piece, as the merges write it -> id and name of the token that stands for it."""

_VOCABULARY, _MERGES = "vocab.json", "merges.txt"
_BLANK = r"[\s\x1c-\x1f]"
"""What Python's own ``strip`` takes off, too."""


def between_blanks(settings: Settings) -> Steps:
    """Words are what stands between blanks."""
    return [pre_tokenizers.WhitespaceSplit()]


def word_bpe_recipe(
    facts: TextFacts,
    *,
    single: str,
    pair: str,
    clean: Callable[[Settings], Steps],
    split: Callable[[Settings], Steps] = between_blanks,
    continued: str | None = None,
    options: Mapping[str, JSON] | None = None,
    complete: Callable[[Settings], Settings] = as_stated,
) -> Recipe:
    """The recipe of the families that released pieces of words, the last of each with ``</w>``, and their merges.

    ``clean`` gives the steps, in the form of `set_steps`, after which ``split`` finds the words, by default between
    blanks; ``single`` and ``pair`` are templates as `template` fills them in. ``continued`` is the mark of the
    vocabulary's pieces that do not end a word, where it marks these and not the last ones.
    """
    options = options or {}
    files = _WordBPE(single, pair, clean, split, continued, frozenset(options))
    return Recipe(
        facts,
        files=((_VOCABULARY, _MERGES),),
        build=files.build,
        options=options,
        complete=complete,
        adapt=files.adapt,
        copied=(_VOCABULARY, _MERGES),
    )


@dataclass(frozen=True)
class _WordBPE:
    single: str
    pair: str
    clean: Callable[[Settings], Steps]
    split: Callable[[Settings], Steps]
    continued: str | None
    options: frozenset[str]

    def build(self, folder: "Folder", settings: Settings) -> Tokenizer:
        """The tokenizer of a vocabulary and its merges; raises `TextError` that names file, place and cure."""
        vocabulary = read_vocabulary_object(folder, _VOCABULARY)
        merges = read_counted_merges(folder.require(_MERGES).read_bytes(), f"{folder.label}/{_MERGES}")
        unknown = settings.special("unk_token")
        if unknown not in vocabulary:
            raise TextError(
                f"{folder.label}/{_VOCABULARY}: lacks {shown(unknown)}, the unk_token; use the vocabulary that belongs "
                "to the model, or name the token that is its unk_token in tokenizer_config.json"
            )
        known = self._known(vocabulary, unknown)
        lacking = dict.fromkeys(piece for pair in merges for piece in _pieces(pair) if piece not in known)
        whole = [pair for pair in merges if lacking.keys().isdisjoint(_pieces(pair))]
        if merges and not whole:
            raise TextError(
                f"{folder.label}/{_MERGES}: none of its {len(merges)} merges joins pieces of {_VOCABULARY}; the two "
                "files are of different models"
            )
        steps = [*self.split(settings)]
        if lacking or self.continued is not None:
            steps.append(_Merging({**known, **dict.fromkeys(lacking, known[unknown])}, merges, unknown))
        model = _bpe(vocabulary, whole, unknown) if self.continued is None else models.WordLevel(vocabulary, unknown)
        tokenizer = Tokenizer(model)
        set_steps(tokenizer, "normalizer", self.clean(settings))
        set_steps(tokenizer, "pre_tokenizer", steps)
        tokenizer.decoder = decoders.BPEDecoder(END_OF_WORD) if self.continued is None else _joining(self.continued)
        tokenizer.post_processor = template(self.single, self.pair, tokenizer, settings)
        return tokenizer

    def adapt(self, tokenizer: Tokenizer, settings: Settings) -> None:
        """The words that ``tokenizer_config.json`` asks for: in which language, in small letters."""
        if settings.declared & self.options and isinstance(tokenizer.decoder, decoders.BPEDecoder):
            set_steps(tokenizer, "normalizer", self.clean(settings))
            set_steps(tokenizer, "pre_tokenizer", self.split(settings))

    def _known(self, vocabulary: Mapping[str, int], unknown: str) -> Known:
        """What stands for the pieces of the merges."""
        mark = self.continued
        if mark is None:
            return {token: (number, token) for token, number in vocabulary.items()}
        of_others = {token.removesuffix(mark): token for token in vocabulary if token.endswith(mark)}
        names = {unknown: unknown, **of_others, **{token + END_OF_WORD: token for token in vocabulary}}
        return {piece: (vocabulary[token], token) for piece, token in names.items()}


class _Merging:
    """Joins the characters of each word, also by way of pieces for which only the unknown token stands."""

    def __init__(self, known: Known, merges: Merges, unknown: str) -> None:
        self._model = _bpe({piece: number for number, piece in enumerate(known)}, merges, unknown)
        self._found = list(known.values())

    def pre_tokenize(self, text: PreTokenizedString) -> None:
        """The tokens of a text that was cut into words; the model of the tokenizer has nothing left to do."""
        text.tokenize(self._tokens)

    def _tokens(self, word: str) -> list[Token]:
        return [Token(*self._found[token.id], token.offsets) for token in self._model.tokenize(word)]


def _bpe(vocabulary: Mapping[str, int], merges: Merges, unknown: str) -> models.BPE:
    return models.BPE(vocabulary, merges, unk_token=unknown, end_of_word_suffix=END_OF_WORD)


def _pieces(pair: tuple[str, str]) -> tuple[str, str, str]:
    """The pieces that a merge takes and the one that it makes."""
    return (*pair, "".join(pair))


def _joining(mark: str) -> decoders.Decoder:
    """Pieces to words: all but the last of each have a mark, and so has the last of a text that breaks off."""
    steps = [(re.escape(mark) + r"( |\z)", ""), (rf"\A{_BLANK}+|{_BLANK}+\z", "")]
    return decoders.Sequence([*words.between_blanks(), *(decoders.Replace(Regex(old), new) for old, new in steps)])
