"""Words that are looked up whole, as in Dai et al. 2019, https://arxiv.org/abs/1901.02860.

Texts are split as those of WikiText-103 are (`tfx_core.text.recipes.moses`, numbers apart: ``1 @,@ 000``). ``<EOS>``
for ``<eos>`` is a word like others; touching other words, it is split from them here, while the reference makes one
unknown word of all.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from tfx_core.errors import TextError, shown
from tfx_core.text.recipe import JSON, Recipe, Settings, TextFacts
from tfx_core.text.recipes import moses
from tfx_core.text.recipes.template import template
from tfx_core.text.word_vocabulary import WordVocabulary, read_word_list, read_word_pickle

if TYPE_CHECKING:
    from tfx_core.checkpoint import Folder

_NO_WORD = "\ufff0"
"""Begins no word; `decoders.WordPiece` sets a blank before every token that does not begin with it."""

_NAME_IN_BRACKETS = re.compile("<([A-Za-z]+)>")

_OPTIONS: dict[str, JSON] = {
    "lower_case": False,
    "delimiter": None,
    "language": "en",
    "add_eos": False,
    "add_double_eos": False,
}

_FILES = ("vocab.txt", "vocab.pkl", "vocab.bin")
"""A list of words, or a pickle in one of two wrappings; the list goes before the pickles, as in the original."""


def words_recipe(facts: TextFacts, *, options: Mapping[str, JSON] | None = None) -> Recipe:
    """The recipe of the families that released a vocabulary of whole words.

    ``add_eos`` puts ``eos_token`` behind a text, ``add_double_eos`` the token ``<S>`` before and behind it: how the
    original prepared its corpora.
    """
    return Recipe(
        facts,
        files=tuple((name,) for name in _FILES),
        build=_build,
        options={**_OPTIONS, **(options or {})},
        legacy_files=_legacy_files,
    )


def _build(folder: "Folder", settings: Settings) -> Tokenizer:
    """The tokenizer of a vocabulary; raises `TextError` that names file, place and cure."""
    name = next(name for name in _FILES if folder.path(name) is not None)
    label = f"{folder.label}/{name}"
    read = read_word_list if name == "vocab.txt" else read_word_pickle
    vocabulary = read(folder.require(name).read_bytes(), label)
    unknown = _unknown(vocabulary, settings, label)
    numbers = {word: number for number, word in enumerate(vocabulary.words)}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token=unknown))
    tokenizer.normalizer = normalizers.Sequence(splitting(settings))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = joining()
    if settings.flag("add_double_eos"):
        tokenizer.post_processor = _doubled(tokenizer, label)
    elif settings.flag("add_eos"):
        tokenizer.post_processor = template("$A eos_token", "$A eos_token $B eos_token", tokenizer, settings)
    return tokenizer


def _legacy_files(tokenizer: Tokenizer, settings: Settings) -> Mapping[str, bytes]:
    """The words as ``vocab.txt``, where they are words; pickles are never written, nor those of another model."""
    if not isinstance(tokenizer.model, models.WordLevel):
        return {}
    numbers = tokenizer.get_vocab(with_added_tokens=False)
    words = sorted(numbers, key=numbers.__getitem__)
    if any(word.split() != [word] for word in words):
        return {}
    return {"vocab.txt": "".join(f"{word}\n" for word in words).encode("utf-8")}


def splitting(settings: Settings) -> list[normalizers.Normalizer]:
    """What sets words apart by blanks; raises `TextError` for settings that only the original knows."""
    if settings.values.get("delimiter") == "":
        raise TextError(f"{settings.label}: delimiter is '', one word for every character, which is not supported")
    language = settings.text("language")
    if language != "en":
        raise TextError(f'{settings.label}: language is {shown(language)}; the words of this model are English, "en"')
    special = (*settings.special_tokens.values(), *settings.additional_special_tokens)
    split = [
        *moses.punctuation_steps(moses.ENGLISH),
        *moses.word_steps(moses.ENGLISH, _brackets(token.content for token in special), hyphens=True),
        *moses.NUMBER_STEPS,
    ]
    lower = [normalizers.Lowercase()] if settings.flag("lower_case") else []
    return [*moses.as_normalizers([moses.OUTER_BLANKS]), *lower, *moses.as_normalizers(split)]


def between_blanks() -> list[decoders.Decoder]:
    """Tokens to a text, a blank between each two."""
    return [decoders.WordPiece(prefix=_NO_WORD, cleanup=False), decoders.Fuse()]


def joining() -> decoders.Decoder:
    """Words back to a text, with blanks where English has them and numbers whole."""
    steps = [*moses.text_steps(), *moses.NUMBER_TEXT_STEPS]
    return decoders.Sequence(
        [
            *between_blanks(),
            *(decoders.Replace(Regex(pattern), content) for pattern, content in steps),
        ]
    )


def _brackets(tokens: Iterable[str]) -> str:
    """The brackets of ``<unk>`` and the like, in whatever case: the original does not split these either."""
    names = [match[1] for match in map(_NAME_IN_BRACKETS.fullmatch, tokens) if match]
    anyhow = ["".join(f"[{letter.lower()}{letter.upper()}]" for letter in name) for name in names]
    return "|".join(f"<(?={name}>)|(?<=<{name})>" for name in anyhow)


def _unknown(vocabulary: WordVocabulary, settings: Settings, label: str) -> str:
    """The word for unknown ones: the file's own, the one that the settings name, or that of the original's corpora."""
    role = settings.special_tokens.get("unk_token")
    for word in (vocabulary.unknown, None if role is None else role.content, "<unk>", "<UNK>"):
        if word is not None and word in vocabulary.words:
            return word
    raise TextError(
        f"{label}: no word stands for unknown ones; name the one that does in tokenizer_config.json, unk_token"
    )


def _doubled(tokenizer: Tokenizer, label: str) -> processors.TemplateProcessing:
    number = tokenizer.token_to_id("<S>")
    if number is None:
        raise TextError(f"{label}: add_double_eos puts '<S>' around a text, which the vocabulary lacks")
    return processors.TemplateProcessing(
        single="<S> $A <S>", pair="<S> $A <S> <S> $B <S>", special_tokens=[("<S>", number)]
    )
