"""Marian's tokenizer: two SentencePiece models cut sources and targets, and ``vocab.json`` numbers the pieces of both.

So were OPUS-MT's models trained (Tiedemann and Thottingal 2020, https://aclanthology.org/2020.eamt-1.61): on texts that
were cut before Marian saw them, whose words it looks up. A piece that the vocabulary lacks is ``<unk>``, and a run of
characters that no piece has is looked up as a whole, as the other side may have it. With ``separate_vocabs`` targets
have ``target_vocab.json``. Decoded texts neither begin nor end with blanks.

A text may begin with the code of the language to write, ``>>fra<<``, which is one token and no piece; blanks before it
change nothing. A code that the vocabulary lacks is ``<unk>``.
"""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, processors

from tfx_core.errors import TextError, shown
from tfx_core.text import Direction, Languages, Numbered, Part, Recipe, Settings, TextFacts
from tfx_core.text.recipes import (
    SPACE,
    PieceKind,
    SentencePieceModel,
    literal_pattern,
    read_sentencepiece,
    read_vocabulary_object,
    sentencepiece_tokenizer,
    template,
)

if TYPE_CHECKING:
    from tfx_core.checkpoint import Folder

_SPM = {"source": "source.spm", "target": "target.spm"}
_SHARED, _OF_TARGETS = "vocab.json", "target_vocab.json"
_ROLES = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}

_BEGIN = "\ufff2"
"""Stands before a code at the beginning of a text, and for one that is unknown; no character has this number."""

_UNKNOWN_CODE = ">>?<<"

_CODE = r">>[^<>\s▁]{1,40}<<"

_MOST_CODES = 2000
"""Released models have some hundreds; to look for them takes time that grows with the square of their number."""

_MANY, _MOST = 0.1, 0.5
"""Shares of a model's pieces that a vocabulary may lack: more than the first is told, more than the second refused."""


def _sources(folder: "Folder", settings: Settings) -> Numbered:
    vocabulary = _vocabulary(folder, settings, _SHARED)
    stated = (folder.json("config.json") or {}).get("pad_token_id")
    padding = vocabulary.get(settings.special("pad_token"))
    if stated is not None and padding is not None and stated != padding:
        warnings.warn(
            f"{folder.label}: pad_token_id is {shown(stated)} in config.json, but {_SHARED} gives the token "
            f"{shown(settings.special('pad_token'))} the id {padding}; the files are of different models",
            stacklevel=2,
        )
    return _numbered(folder, settings, "source", vocabulary, _SHARED)


def _targets(folder: "Folder", settings: Settings) -> Numbered:
    file = _OF_TARGETS if settings.flag("separate_vocabs") else _SHARED
    return _numbered(folder, settings, "target", _vocabulary(folder, settings, file), file)


def _vocabulary(folder: "Folder", settings: Settings, file: str) -> Mapping[str, int]:
    """Token -> id; raises `TextError` for one that lacks the family's special tokens."""
    vocabulary = read_vocabulary_object(folder, file)
    for role, usual in _ROLES.items():
        token = settings.special(role)
        if token not in vocabulary and (token == usual or role == "unk_token"):
            raise TextError(
                f"{folder.label}/{file}: lacks {shown(token)}, the {role}, without which no model of this family was "
                "trained; fetch the file again"
            )
    codes = len(_codes(vocabulary))
    if codes > _MOST_CODES:
        raise TextError(
            f"{folder.label}/{file}: has {codes} codes of languages (>>…<<), more than the {_MOST_CODES} that a model "
            "may have; fetch the file again"
        )
    return vocabulary


def _numbered(
    folder: "Folder", settings: Settings, part: Part, vocabulary: Mapping[str, int], vocabulary_file: str
) -> Numbered:
    model = _model(folder, part)
    _check_pieces(folder, part, model, vocabulary, vocabulary_file)
    cutter = sentencepiece_tokenizer(model, model.pieces)
    numbers = Tokenizer(models.WordLevel(dict(vocabulary), unk_token=settings.special("unk_token")))
    numbers.decoder = cutter.decoder
    _find_codes(cutter, model, sorted(_codes(vocabulary).values()))
    cutter.add_special_tokens([settings.special_tokens[role] for role in _ROLES])
    for tokenizer in (cutter, numbers):
        tokenizer.post_processor = template("$A eos_token", "$A $B eos_token", tokenizer, settings)
    return Numbered(numbers, cutter)


def _model(folder: "Folder", part: Part) -> SentencePieceModel:
    return read_sentencepiece(folder.require(_SPM[part]).read_bytes(), f"{folder.label}/{_SPM[part]}")


def _find_codes(cutter: Tokenizer, model: SentencePieceModel, codes: list[str]) -> None:
    """Let a code at the beginning of a text be one token, the known ones as they are written, and the rest as one.

    A code is looked for in the normalized text, where `_BEGIN` stands before it alone and not before those further on.
    """
    replace = normalizers.Replace
    steps = [cutter.normalizer, replace(Regex(rf"\A{SPACE}?(?={_CODE})"), _BEGIN)]
    if model.add_dummy_prefix and not model.treat_whitespace_as_suffix:  # what follows is a text of its own
        steps.append(replace(Regex(rf"\A{_BEGIN}{_CODE}\K{SPACE}?(?=(?m:.))"), SPACE))
    found = normalizers.Sequence(steps)
    known = "|".join(literal_pattern(found.normalize_str(code).removeprefix(_BEGIN)) for code in codes)
    unknown = rf"(?!{known})" if known else ""
    cutter.normalizer = normalizers.Sequence([*steps, replace(Regex(rf"\A{_BEGIN}{unknown}{_CODE}"), _BEGIN)])
    tokens = (AddedToken(code, normalized=True, special=False) for code in (*codes, _UNKNOWN_CODE))
    cutter.add_tokens([*tokens])


def _check_pieces(
    folder: "Folder", part: Part, model: SentencePieceModel, vocabulary: Mapping[str, int], vocabulary_file: str
) -> None:
    """Warn of a vocabulary that lacks many pieces of the model; raise `TextError` for one that is of another model."""
    lacking, count = _lacking(model, vocabulary)
    if len(lacking) <= _MANY * count:
        return
    other: Part = "target" if part == "source" else "source"
    others, of_others = _lacking(_model(folder, other), vocabulary)
    what = (
        f"{folder.label}/{vocabulary_file} lacks {len(lacking)} of the {count} pieces of {_SPM[part]}: "
        f"{', '.join(map(shown, lacking[:5]))}, …"
    )
    if len(others) <= _MANY * of_others:
        raise TextError(f"{what} It has those of {_SPM[other]}: the two .spm files are interchanged; exchange them")
    if len(lacking) > _MOST * count:
        raise TextError(f"{what} They are of different models; fetch both again")
    warnings.warn(f"{what} Each of them is {shown('<unk>')} to the model", stacklevel=2)


def _lacking(model: SentencePieceModel, vocabulary: Mapping[str, int]) -> tuple[list[str], int]:
    """The pieces that texts are cut into and a vocabulary lacks, and how many there are in all."""
    unseen = (PieceKind.CONTROL, PieceKind.UNKNOWN, PieceKind.UNUSED)
    texts = [piece.text for piece in model.pieces if piece.kind not in unseen]
    return [text for text in texts if text not in vocabulary], len(texts)


def _codes(vocabulary: Mapping[str, int]) -> dict[str, str]:
    """Name of each language -> its code."""
    return {token[2:-2]: token for token in vocabulary if token.startswith(">>") and token.endswith("<<") and token[4:]}


def _languages(tokenizer: Tokenizer, settings: Settings) -> Mapping[str, str]:
    return dict(sorted(_codes(tokenizer.get_vocab()).items()))


def _stated(settings: Settings) -> Direction:
    """The languages of the model's texts, by the names that its files give them."""
    names = (settings.values[key] for key in ("source_lang", "target_lang"))
    return Direction(*(name if isinstance(name, str) else None for name in names))


def _frame(tokenizer: Tokenizer, settings: Settings, part: Part, direction: Direction) -> Any:
    """The code of the language to write stands before a source, in the place of the same one in the text."""
    if part == "target" or direction.target is None:
        return template("$A eos_token", "$A $B eos_token", tokenizer, settings)
    code, end = f">>{direction.target}<<", settings.special("eos_token")
    if tokenizer.normalizer is not None:  # of what cuts texts, and not of what numbers the tokens
        written = literal_pattern(tokenizer.normalizer.normalize_str(code))
        # not where nothing follows: so the code itself is normalized, as a token that is looked for
        once = normalizers.Replace(Regex(rf"\A{written}(?=(?m:.))"), "")
        tokenizer.normalizer = normalizers.Sequence([tokenizer.normalizer, once])
    return processors.TemplateProcessing(
        single=[code, "$A", end],
        pair=[code, "$A", "$B", end],
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (code, end)],
    )


def _refusing_samples(settings: Settings) -> Settings:
    kwargs = settings.values.get("sp_model_kwargs")
    if isinstance(kwargs, Mapping) and kwargs.get("enable_sampling"):
        raise TextError(
            f"{settings.label}: sp_model_kwargs asks for enable_sampling, but texts are cut the best way here, and not "
            "by lot; take it out"
        )
    return settings


RECIPE = Recipe(
    TextFacts("MarianTokenizer", _ROLES, strips_decoded=True),
    files=((*_SPM.values(), _SHARED),),
    build=_sources,
    build_target=_targets,
    options={
        "source_lang": None,
        "target_lang": None,
        "separate_vocabs": False,
        "sp_model_kwargs": None,
        "src_lang": None,
        "tgt_lang": None,
    },
    complete=_refusing_samples,
    languages=Languages(tokens=_languages, frame=_frame, stated=_stated),
    copied=(*_SPM.values(), _SHARED, _OF_TARGETS),
)
