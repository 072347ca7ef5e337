"""Reading a folder's tokenizer: ``tokenizer.json`` where there is one, else what the family's recipe builds."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from tfx_core.errors import TextError
from tfx_core.plugins.specs import ArchitectureSpec
from tfx_core.text.lengths import check_side
from tfx_core.text.recipe import NO_FAMILY, Recipe, Settings
from tfx_core.text.settings import read_settings, token_flags, tokenizer_class
from tfx_core.text.tokenizer import Tokenizer
from tfx_core.text.tokenizer_writing import TOKENIZER_FILE, Origin
from tfx_core.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from tfx_core.checkpoint import Folder


def read_tokenizer(folder: "Folder", recipe: Recipe | None, **options: object) -> Tokenizer:
    """The tokenizer of a folder; ``recipe`` is that of its family, None where no installed family knows it.

    ``options`` go over ``tokenizer_config.json``: those of every tokenizer (`GENERAL_OPTIONS`) and the recipe's own.
    Raises `TextError` that names file and cure, and `TypeError` for an unknown option.
    """
    facts = NO_FAMILY if recipe is None else recipe.facts
    settings = read_settings(folder, facts, {} if recipe is None else recipe.options, options)
    path = folder.path(TOKENIZER_FILE)
    if path is not None:
        backend = _read(path.read_bytes(), f"{folder.label}/{TOKENIZER_FILE}")
        if recipe is not None:
            recipe.adapt(backend, settings)
    elif recipe is None:
        raise TextError(
            f"{folder.label}: there is no {TOKENIZER_FILE}, and no installed architecture says how to read the "
            f"tokenizer files of {tokenizer_class(folder) or 'this model'}; install the family that it belongs to"
        )
    else:
        _require(folder, recipe)
        backend = recipe.build(folder, settings)
    return Tokenizer(
        _vocabulary(backend, settings, folder),
        model_max_length=settings.integer("model_max_length"),
        model_input_names=settings.texts("model_input_names"),
        padding_side=check_side(settings.text("padding_side"), "padding_side"),
        truncation_side=check_side(settings.text("truncation_side"), "truncation_side"),
        pad_token_type_id=facts.pad_token_type_id,
        clean_up_tokenization_spaces=settings.flag("clean_up_tokenization_spaces"),
        split_special_tokens=settings.flag("split_special_tokens"),
        question_first=facts.question_first,
        origin=Origin(settings, facts, recipe, _copied(folder, recipe)),
    )


def family_of(folder: "Folder", architectures: Iterable[ArchitectureSpec]) -> str | None:
    """The architecture whose recipe reads a folder's tokenizer: the name to look up, None where none is known to.

    The tokenizer class that the folder names goes before its ``model_type``, for a model can have the vocabulary of
    another family: the multilingual MiniLM is a BERT with XLM-RoBERTa's, and a Japanese BERT's words are not split at
    blanks. A ``model_type`` that is not installed is given back all the same, since its look-up says what to install.
    """
    specs = {spec.name: spec for spec in architectures}
    model_type = (folder.json("config.json") or {}).get("model_type")
    name = model_type if isinstance(model_type, str) and model_type else None
    named = tokenizer_class(folder)
    if named in (None, "PreTrainedTokenizer") or (name is not None and name not in specs):
        return name
    serving = [
        spec.name for spec in specs.values() if named in {each.removesuffix("Fast") for each in spec.tokenizer_classes}
    ]
    return name if name in serving else next(iter(serving), None)


def _read(data: bytes, label: str) -> Backend:
    """The tokenizer in the contents of a ``tokenizer.json``."""
    cure = "copy the file again, or remove it where the folder has the files that it was made from"
    try:
        return Backend.from_str(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise TextError(f"{label}: byte {error.start} is not UTF-8; {cure}") from error
    except Exception as error:  # the library has no narrower one
        raise TextError(f"{label}: {error}; {cure}") from error


def _copied(folder: "Folder", recipe: Recipe | None) -> dict[str, bytes]:
    """What the recipe says to copy when the tokenizer is saved."""
    paths = {name: folder.path(name) for name in (() if recipe is None else recipe.copied)}
    return {name: path.read_bytes() for name, path in paths.items() if path is not None}


def _require(folder: "Folder", recipe: Recipe) -> None:
    """Raise `TextError` unless the folder has every file of one of the recipe's sets."""
    if not any(all(folder.path(name) is not None for name in files) for files in recipe.files):
        wanted = ", or ".join(" with ".join(files) for files in ((TOKENIZER_FILE,), *recipe.files))
        raise TextError(f"{folder.label}: there is no tokenizer; it needs {wanted}")


def _vocabulary(backend: Backend, settings: Settings, folder: "Folder") -> Vocabulary:
    """The tokenizer with the added tokens and special roles of its settings, set neither to truncate nor to pad."""
    backend.no_truncation()
    backend.no_padding()
    special = {token.content for token in (*settings.special_tokens.values(), *settings.additional_special_tokens)}
    added = settings.added_tokens
    backend.add_tokens([_flagged(token, token.special or token.content in special) for token in added.values()])
    for number, token in added.items():
        if backend.token_to_id(token.content) != number:
            raise TextError(
                f"{folder.label}: the added token {token.content!r} should have the id {number}, but the vocabulary "
                f"gives it {backend.token_to_id(token.content)}; the files are of different tokenizers"
            )
    # A role that only the family's facts give does not make a token that the vocabulary lacks.
    roles = {
        role: token
        for role, token in settings.special_tokens.items()
        if role in settings.declared or backend.token_to_id(token.content) is not None
    }
    present = {token.content: token for token in backend.get_added_tokens_decoder().values()}
    tokens = (*roles.values(), *settings.additional_special_tokens)
    stated = [token if token.content in settings.flagged else present.get(token.content, token) for token in tokens]
    backend.add_tokens([_flagged(token, True) for token in stated])
    return Vocabulary(backend, roles, settings.additional_special_tokens)


def _flagged(token: AddedToken, special: bool) -> AddedToken:
    """The token as one that is special or not; registered again, it gets the flags that it has here."""
    return AddedToken(token.content, **{**token_flags(token), "special": special})
