"""Reading a folder's tokenizer: ``tokenizer.json`` where there is one, else what the family's recipe builds."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from tfx_core.errors import TextError
from tfx_core.plugins.specs import ArchitectureSpec
from tfx_core.text.bounds import LONGEST_ADDED_TOKEN, check_piece, check_work
from tfx_core.text.guard import guarded
from tfx_core.text.lengths import check_side
from tfx_core.text.recipe import NO_FAMILY, Recipe, Settings
from tfx_core.text.settings import read_settings, token_flags, tokenizer_class
from tfx_core.text.tokenizer import Tokenizer
from tfx_core.text.tokenizer_json import CURE, read_tokenizer_json
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
        label = f"{folder.label}/{TOKENIZER_FILE}"
        backend = read_tokenizer_json(path.read_bytes(), label)
        if recipe is not None:
            with guarded(label, CURE):
                recipe.adapt(backend, settings)
    elif recipe is None:
        raise TextError(
            f"{folder.label}: there is no {TOKENIZER_FILE}, and no installed architecture says how to read the "
            f"tokenizer files of {tokenizer_class(folder) or 'this model'}; install the family that it belongs to"
        )
    else:
        _require(folder, recipe)
        label = folder.label
        with guarded(f"{label}: its files make no tokenizer", "fetch them again"):
            backend = recipe.build(folder, settings)
    check_work(backend, label)
    with guarded(f"{folder.label}: its added tokens cannot be read", "fetch the folder again"):
        vocabulary = _vocabulary(backend, settings, folder)
    return Tokenizer(
        vocabulary,
        model_max_length=settings.integer("model_max_length"),
        model_input_names=settings.texts("model_input_names"),
        padding_side=check_side(settings.text("padding_side"), "padding_side"),
        truncation_side=check_side(settings.text("truncation_side"), "truncation_side"),
        pad_token_type_id=facts.pad_token_type_id,
        clean_up_tokenization_spaces=settings.flag("clean_up_tokenization_spaces"),
        split_special_tokens=settings.flag("split_special_tokens"),
        question_first=facts.question_first,
        origin=Origin(folder, settings, facts, recipe),
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
    for token in (*added.values(), *settings.special_tokens.values(), *settings.additional_special_tokens):
        check_piece(token.content, settings.label, LONGEST_ADDED_TOKEN)
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
