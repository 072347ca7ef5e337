"""Readers of vocabularies of words, released as pickles and read without running them.

The form is Transformer-XL's: ``vocab.pkl`` is a pickle of a dict and ``vocab.bin`` the same dict written by
``torch.save``; ``vocab.txt`` has a word a line. A pickle is a program: only its data is read
(`tfx_core.checkpoint.pickle_data`), and nothing that it names is imported or called. The released files name
`collections.Counter` and `collections.OrderedDict`, which become dicts. Files that transformers saved hold its whole
tokenizer, so the few classes that this brings with it are known too: they become `NOT_NEEDED`, and so do their
attributes.
"""

import io
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfx_core.checkpoint.archive import RECORD_SIGNATURE, read_archive
from tfx_core.checkpoint.pickle_data import Global, UnsafePickleError, dictionary, read_pickle_data
from tfx_core.errors import TextError, shown
from tfx_core.text.bounds import check_pieces

NOT_NEEDED = object()
"""Stands for an object of the reference tokenizer that the vocabulary does not need."""

_CLASSES_NOT_NEEDED = frozenset(
    {
        "re._compile",
        "sacremoses.normalize.MosesPunctNormalizer",
        "sacremoses.tokenize.MosesDetokenizer",
        "sacremoses.tokenize.MosesTokenizer",
        "tokenizers.AddedToken",
        "transformers.tokenization_utils.Trie",
        "transformers.tokenization_utils_base.AddedToken",
    }
)

_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
"""First of the pickles that ``torch.save`` wrote before it wrote archives; protocol number and system follow."""


@dataclass(frozen=True)
class WordVocabulary:
    """Words in the order of their ids."""

    words: tuple[str, ...]
    unknown: str | None
    """The word that stands for unknown ones, where the file names it."""


def read_word_pickle(data: bytes, label: str) -> WordVocabulary:
    """The vocabulary in a ``vocab.pkl`` or ``vocab.bin``; raises `TextError`, and executes nothing of the file."""
    try:
        value = _read(data)
    except UnsafePickleError as error:
        raise TextError(
            f"{label}: {error}; a vocabulary holds words and numbers alone, and nothing of this file was executed; "
            "fetch the file from where the model was published"
        ) from error
    except (ValueError, EOFError, OSError, RuntimeError, OverflowError, struct.error, zipfile.BadZipFile) as error:
        # zipfile has no one error for what is wrong with an archive
        raise TextError(f"{label}: is no pickled vocabulary: {error}; fetch the file again") from error
    if not isinstance(value, dict) or "idx2sym" not in value:
        raise TextError(
            f"{label}: holds a {type(value).__name__} without idx2sym, not the vocabulary of a Transformer-XL; "
            "is it the file of another model?"
        )
    words = _words(value["idx2sym"], f"{label}: idx2sym")
    _check_numbers(value.get("sym2idx"), words, label)
    unknown = value.get("unk_idx")
    if unknown is not None and (type(unknown) is not int or not 0 <= unknown < len(words)):
        raise TextError(f"{label}: unk_idx is {shown(unknown)}; it must be the place of one of the {len(words)} words")
    return WordVocabulary(words, None if unknown is None else words[unknown])


def read_word_list(data: bytes, label: str) -> WordVocabulary:
    """The vocabulary in a ``vocab.txt``: the first word of every line, ids in the order in which words first come.

    Raises `TextError` that names the line at fault.
    """
    try:
        lines = data.decode("utf-8").replace("\r\n", "\n").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise TextError(f"{label}: byte {error.start} is not UTF-8; fetch the file again") from error
    words: dict[str, None] = {}
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields:
            raise TextError(f"{label}, line {number}: is blank; every line must begin with a word")
        words[fields[0]] = None
    check_pieces(words, label)
    return WordVocabulary(tuple(words), next((word for word in ("<UNK>", "<unk>") if word in words), None))


def _read(data: bytes) -> object:
    """The value of a pickle, also where ``torch.save`` wrapped it, in either of its formats."""
    if data.startswith(RECORD_SIGNATURE):
        start, count = read_archive(io.BytesIO(data))["data.pkl"]
        data = data[start : start + count]
    stream = io.BytesIO(data)
    value = read_pickle_data(stream, _call, _persistent)
    if value == _TORCH_MAGIC:
        for _ in range(3):
            value = read_pickle_data(stream, _call, _persistent)
    return value


def _call(function: Global, arguments: tuple[Any, ...]) -> object:
    """The value of a call that a vocabulary file may make; raises `UnsafePickleError` for any other."""
    match function:
        case ("collections", "OrderedDict"):
            return dictionary([part for key, value in arguments[0] for part in (key, value)] if arguments else [])
        case ("collections", "Counter"):
            return arguments[0] if arguments else {}
    if str(function) in _CLASSES_NOT_NEEDED:
        return NOT_NEEDED
    raise UnsafePickleError(f"asks to call {str(function)[:80]!r}")


def _persistent(identity: object) -> object:
    raise UnsafePickleError("holds tensors")


def _words(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise TextError(f"{where} is a {type(value).__name__}; it must be a list of words; fetch the file again")
    places: dict[str, int] = {}
    for place, word in enumerate(value):
        if not isinstance(word, str):
            raise TextError(f"{where}[{place}] is a {type(word).__name__}; it must be a word; fetch the file again")
        first = places.setdefault(word, place)
        if first != place:
            raise TextError(f"{where} has {shown(word)} at {first} and at {place}; words must differ")
    check_pieces(value, where)
    return tuple(value)


def _check_numbers(value: object, words: tuple[str, ...], label: str) -> None:
    """Raise `TextError` unless the map from words to ids, where the file has it, says what the list says."""
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise TextError(f"{label}: sym2idx is a {type(value).__name__}; it must map words to ids")
    if len(value) != len(words):
        raise TextError(f"{label}: idx2sym has {len(words)} words, sym2idx {len(value)}; fetch the file again")
    for place, word in enumerate(words):
        number = value.get(word)
        if type(number) is not int or number != place:
            raise TextError(
                f"{label}: {shown(word)} is number {place} of idx2sym, but sym2idx gives it {shown(number)}"
            )
