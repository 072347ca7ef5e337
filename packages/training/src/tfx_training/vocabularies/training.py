"""A tokenizer trained on a corpus, in the files that a family released its own in.

The family's recipe (`tfx_core.text.Recipe`) reads a vocabulary of special tokens alone first. What it makes of it says
how the family cleans and splits texts, which the training then does as well, and which special tokens it adds to those
of the file, as T5 its sentinels and mBART its languages. What is written is read back by the same recipe.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import models, pre_tokenizers

from tfx_core import Tokenizer, load_tokenizer
from tfx_core.checkpoint import written_json
from tfx_core.errors import InputError, TextError
from tfx_core.model import load_architecture
from tfx_core.text import Recipe
from tfx_training.corpus.collecting import pieces_of
from tfx_training.corpus.documents import Document
from tfx_training.vocabularies.forms import ByteBPE, ContinuedBPE, Form, Lines, Pieces, Trained, WordBPE, Words
from tfx_training.vocabularies.layout import arranged, config_ids

KINDS = ("bpe", "unigram", "wordpiece", "words")

_LONGEST = 2_000
"""Characters of a text; normalizers of a SentencePiece model take longer than in proportion."""

_DEFAULT_PIECES = (("<unk>", "<s>", "</s>"), ("<pad>", "</s>", "<unk>"))
"""How SentencePiece's own files begin, and those of Google's models."""


def train_tokenizer(
    documents: Iterable[Document | str],
    like: str,
    *,
    vocab_size: int,
    kind: str | None = None,
    **options: Any,
) -> Tokenizer:
    """A tokenizer of ``vocab_size`` tokens, special ones included, of the family of a ``model_type``.

    A corpus of few words gives fewer. ``kind`` is one of `KINDS`, that of the family where left out; ``options`` are
    those of the family's recipe (``do_lower_case=False``) and are saved with the tokenizer. Raises `InputError` for a
    family whose files cannot be made, another ``kind`` than theirs, and a ``vocab_size`` that is too small.
    """
    family = _Family.of(like, options)
    if kind not in (None, family.form.kind):
        raise InputError(f"kind={kind!r}: the vocabularies of {like} are {family.form.kind!r}; leave kind out")
    room = vocab_size - family.added - len(family.last)
    least = len(family.first) + (len(pre_tokenizers.ByteLevel.alphabet()) if type(family.form) is ByteBPE else 1)
    if room < least:
        least += family.added + len(family.last)
        raise InputError(f"vocab_size={vocab_size}: special tokens and characters of {like} alone are {least}")
    has_words = False

    def texts() -> Iterator[str]:
        nonlocal has_words
        for text in _texts(documents):
            has_words = has_words or bool(text.strip())
            yield text

    trained = family.form.train(family.steps, texts(), room, family.first)
    # of no text at all pieces have no scores, and bytes are there nevertheless
    if not has_words or len(trained.tokens) <= len(family.first):
        raise InputError("the corpus has no words: every text is empty")
    if len(trained.tokens) > room:
        least = len(trained.tokens) + family.added + len(family.last)
        raise InputError(f"vocab_size={vocab_size}: the corpus has so many characters that it takes {least} at least")
    return family.tokenizer(Trained([*trained.tokens, *family.last], trained.scores, trained.merges))


@dataclass(frozen=True)
class _Family:
    """How the vocabularies of a family are."""

    like: str
    options: Mapping[str, Any]
    form: Form
    first: Sequence[str]
    """The special tokens at the beginning of the file."""

    last: Sequence[str]
    """Those at its end."""

    added: int
    """Tokens that the recipe adds to those of the file."""

    steps: Any
    """The tokenizer of special tokens alone, of the `tokenizers` library."""

    @classmethod
    def of(cls, like: str, options: Mapping[str, Any]) -> "_Family":
        architecture = load_architecture(like)
        recipe = architecture.text
        if recipe is None or not recipe.files or len(recipe.files[0]) > 2:
            raise InputError(f"like={like!r}: it has no tokenizer files of its own that could be made here")
        form, first, last, made = _smallest(like, recipe, options, config_ids(architecture.config))
        added = len(made) - len(first) - len(last)
        return cls(like, options, form, first, last, added, made.vocabulary.backend)

    def tokenizer(self, trained: Trained) -> Tokenizer:
        """The tokenizer of a vocabulary."""
        return _read(self.like, self.form.files(trained, (*self.first, *self.last)), self.options)


def _smallest(
    like: str, recipe: Recipe, options: Mapping[str, Any], ids: Mapping[str, int]
) -> tuple[Form, list[str], list[str], Tokenizer]:
    """The form of a family's files, its special tokens in the order of the file, and the tokenizer of these alone."""
    form, base, made = _probed(like, recipe, options)
    assert made.origin is not None
    roles = {role: str(token.content) for role, token in made.origin.settings.special_tokens.items()}
    others = [str(token.content) for token in made.origin.settings.additional_special_tokens]
    in_model = made.vocabulary.backend.get_vocab(with_added_tokens=False)
    of_recipe = {token for token in (*roles.values(), *others) if token in in_model} - {*base}
    if of_recipe.intersection(roles.values()):  # the recipe numbers them, and its files begin as SentencePiece's do
        first, last = [*base], list[str]()
    else:
        missing = [token for token in others if token not in of_recipe]
        if isinstance(form, Pieces):  # as XLNet's <eod> and <eop> stand
            missing.sort()
        order = (*form.order, *(role for role in roles if not role.endswith("_token")))
        first, last = arranged(roles, ids, order, missing, form.filler)
    unknown = roles["unk_token"] if roles["unk_token"] in first else form.unknown
    form = type(form)(form.names, unknown)
    files = form.files(Trained([*first, *last]), (*first, *last))
    return form, first, last, _read(like, files, options)


def _probed(like: str, recipe: Recipe, options: Mapping[str, Any]) -> tuple[Form, Sequence[str], Tokenizer]:
    """The form of a family's files: that which its recipe reads, and what is in the smallest file of it."""
    names = recipe.files[0]
    known = [str(token) for token in recipe.facts.special_tokens.values()]
    unknown = str(recipe.facts.special_tokens.get("unk_token", "<unk>"))
    bases = (*_DEFAULT_PIECES, [*dict.fromkeys((*_DEFAULT_PIECES[0], *known))])
    tried: list[tuple[Form, Sequence[str]]] = [(Pieces(names, "<unk>"), base) for base in bases]
    tried.append((Lines(names, unknown), [*dict.fromkeys(known)]))
    if len(names) == 2:
        tried = [(ByteBPE(names, unknown), [*dict.fromkeys(known)])]
    for form, base in tried:
        try:
            made = _read(like, form.files(Trained(base), base), options)
        except TextError as error:
            problem = str(error)
            continue
        return _form_of(made, form), base, made
    raise InputError(f"like={like!r}: its tokenizer cannot be trained here: {problem}")


def _form_of(made: Tokenizer, form: Form) -> Form:
    """The form of the files that a recipe made this tokenizer of."""
    backend = made.vocabulary.backend
    whole = isinstance(backend.model, models.WordLevel)
    if isinstance(form, Lines):
        return Words(form.names, form.unknown) if whole else form
    if isinstance(form, ByteBPE) and not isinstance(backend.pre_tokenizer, pre_tokenizers.ByteLevel):
        return (ContinuedBPE if whole else WordBPE)(form.names, form.unknown)
    return form


def _read(like: str, files: Mapping[str, bytes], options: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer of a family's files."""
    with tempfile.TemporaryDirectory() as folder:
        for name, contents in {**files, "config.json": written_json({"model_type": like}).encode()}.items():
            Path(folder, name).write_bytes(contents)
        return load_tokenizer(folder, **options)


def _texts(documents: Iterable[Document | str]) -> Iterator[str]:
    """All texts, none of them long."""
    for each in documents:
        for part in (Document.of(each) if isinstance(each, str) else each).parts:
            yield from (piece.text for piece in pieces_of(part.text, longest=_LONGEST))
