"""The text that CPython carries as corpora: with its sentences, and with a made-up translation of each."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from zlib import crc32

from tfx_core import Tokenizer
from tfx_training import Document, Part, TokenCorpus, train_tokenizer
from tfx_training.corpus.sentences import by_rule

_FILE = Path(__file__).parents[1] / "train_gpt2" / "corpus.py"
"""The same text, held out alike."""

_SPEC = spec_from_file_location("corpus", _FILE)
assert _SPEC is not None
assert _SPEC.loader is not None
corpus: Any = module_from_spec(_SPEC)
_SPEC.loader.exec_module(corpus)

VOCABULARY = 2048
LANGUAGES = ("en", "ne")
MOST_FOR_TOKENIZER = 300_000
"""Characters that a vocabulary is made of: those of SentencePiece take long."""


def documents() -> tuple[list[Document], list[Document]]:
    """Documents with sentences, to learn from and held out."""
    training, held_out = corpus.split()
    return [*map(with_sentences, training)], [*map(with_sentences, held_out)]


def named_documents() -> Iterator[tuple[str, bool, str]]:
    """Name of each document, whether it is held out, and its text."""
    for name, text in corpus.documents():
        yield name, crc32(name.encode()) % corpus.HELD_OUT_SHARE == 0, text


def with_sentences(text: str) -> Document:
    """A text that is told where its sentences end."""
    return Document((Part(text, by_rule(text)),))


def pairs(texts: Iterable[Document]) -> Iterator[Document]:
    """Each sentence of some words with its translation: the same one in a language that spells words backwards."""
    for document in texts:
        for sentence in sentences(document.parts[0]):
            words = sentence.split()
            if 4 <= len(words) <= 40:
                translation = " ".join(word[::-1] for word in words)
                yield Document((Part(" ".join(words), group=LANGUAGES[0]), Part(translation, group=LANGUAGES[1])))


def sentences(part: Part) -> Iterator[str]:
    """The sentences of a text."""
    begin = 0
    for end in (*part.sentence_ends, len(part.text)):
        yield part.text[begin:end]
        begin = end


def tokenizer_of(texts: Sequence[Document], like: str, **options: Any) -> Tokenizer:
    """A small tokenizer of a family's kind, made of a part of the texts that is spread over all of them."""
    parts = [part for document in texts for part in document.parts]
    size = sum(len(part.text) for part in parts)
    every = -(-size // MOST_FOR_TOKENIZER)
    pieces = [sentence for part in parts for sentence in sentences(part) if sentence.strip()]
    return train_tokenizer(pieces[::every], like, vocab_size=VOCABULARY, **options)


def corpora(tokenizer: Tokenizer, *parts: Sequence[Document]) -> list[TokenCorpus]:
    """The same, tokenized."""
    return [TokenCorpus.of(tokenizer, documents) for documents in parts]


def keep(file: Path, part: str, figures: Mapping[str, Any]) -> None:
    """Put figures, by their names, beside those that a file has already; its others stay."""
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    found[part] = {**found.get(part, {}), **figures}
    file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
