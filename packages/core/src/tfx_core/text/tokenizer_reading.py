"""Reading a folder's tokenizer: ``tokenizer.json`` where there is one, else what the family's recipe builds."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tokenizers import Tokenizer as Backend

from tfx_core.errors import TextError, shown
from tfx_core.plugins.specs import ArchitectureSpec
from tfx_core.text.added_tokens import register, with_tokens, with_written
from tfx_core.text.bounds import LONGEST_ADDED_TOKEN, check_piece, check_work
from tfx_core.text.chats import NAMED_TEMPLATES, TEMPLATE_FILE, ChatTemplate, read_templates
from tfx_core.text.guard import guarded
from tfx_core.text.languages import KnownLanguages, Part
from tfx_core.text.lengths import check_side
from tfx_core.text.numbering import Cutter, Numbered
from tfx_core.text.recipe import NO_FAMILY, Recipe, Settings, TextFacts
from tfx_core.text.settings import read_settings, tokenizer_class
from tfx_core.text.tokenizer import Tokenizer
from tfx_core.text.tokenizer_json import CURE, read_tokenizer_json
from tfx_core.text.tokenizer_writing import TOKENIZER_FILE, Origin
from tfx_core.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from tfx_core.checkpoint import Folder


class Family(NamedTuple):
    """Whose a folder's tokenizer is: names of architectures, None where none is known."""

    model: str | None
    """The one that it serves, whose facts say what the model takes: its inputs, how rows are padded."""

    files: str | None
    """The one whose recipe reads its files."""


def read_tokenizer(
    folder: "Folder", recipe: Recipe | None, model: TextFacts | None = None, /, **options: object
) -> Tokenizer:
    """The tokenizer of a folder; ``recipe`` is that of its files, None where no installed family knows them.

    ``model`` are the facts of the family whose model it serves, where they are not the recipe's. ``options`` go over
    ``tokenizer_config.json``: those of every tokenizer (`GENERAL_OPTIONS`) and the recipe's own. Raises `TextError`
    that names file and cure, and `TypeError` for an unknown option.
    """
    facts = _facts(recipe, model)
    settings = read_settings(folder, facts, {} if recipe is None else recipe.options, options)
    if recipe is not None:
        settings = recipe.complete(settings)
    path = folder.path(TOKENIZER_FILE)
    two_sided = recipe is not None and recipe.build_target is not None and _has_files(folder, recipe)
    if path is not None and two_sided:
        warnings.warn(
            f"{folder.label}/{TOKENIZER_FILE} is not read: it holds one side of a tokenizer that has two; sources and "
            "targets are those of the other files",
            stacklevel=2,
        )
    if path is not None and not two_sided:
        label = f"{folder.label}/{TOKENIZER_FILE}"
        backend: Backend | Numbered = read_tokenizer_json(path.read_bytes(), label)
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
    _check_work(backend, label)
    if recipe is not None and recipe.languages is not None:
        numbers = backend.numbers if isinstance(backend, Numbered) else backend
        settings = recipe.languages.complete(numbers, settings)
    with guarded(f"{folder.label}: its added tokens cannot be read", "fetch the folder again"):
        vocabulary = _vocabulary(backend, settings, folder)
        target = _target(folder, recipe, settings) if recipe is not None and two_sided else None
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
        chat_template=_chat_template(folder, settings, "chat_template" in options),
        origin=Origin(settings, facts, recipe, _copied(folder, recipe)),
        target=target,
        **_languages(recipe, settings, vocabulary),
    )


def _target(folder: "Folder", recipe: Recipe, settings: Settings) -> Vocabulary | None:
    """The tokens of targets, where they are not those of sources."""
    if recipe.build_target is None:
        return None
    with guarded(f"{folder.label}: its files make no tokenizer of targets", "fetch them again"):
        built = recipe.build_target(folder, settings)
    _check_work(built, folder.label)
    return _vocabulary(built, settings, folder, first=False)


def _check_work(built: Backend | Numbered, label: str) -> None:
    for backend in built if isinstance(built, Numbered) else (built,):
        check_work(backend, label)


def _languages(recipe: Recipe | None, settings: Settings, vocabulary: Vocabulary) -> dict[str, Any]:
    """The languages of a tokenizer and its direction at first, by their names as its keywords."""
    if recipe is None or recipe.languages is None:
        return {}
    known = KnownLanguages(recipe.languages, settings)
    direction = known.default_direction(vocabulary)
    parts: Sequence[tuple[str, Part]] = (("src_lang", "source"), ("tgt_lang", "target"))
    for option, part in parts:
        name = settings.values.get(option)
        if name is not None:
            checked = known.checked(vocabulary, part, name, f"{settings.label}: {option}")
            direction = direction._replace(**{part: checked})
    return {"languages": known, "direction": direction}


def family_of(folder: "Folder", architectures: Iterable[ArchitectureSpec]) -> Family:
    """Whose the tokenizer of a folder is: the names to look up.

    The ``model_type`` in ``config.json`` decides. A tokenizer class that it does not serve changes who reads the files,
    for a model can have the vocabulary of another family: the multilingual MiniLM is a BERT with XLM-RoBERTa's, and a
    Japanese BERT's words are not split at blanks. It does not change what the model takes, and a warning says so.
    Without a ``model_type`` the class decides alone. A ``model_type`` that is not installed is given back all the same,
    since its look-up says what to install.
    """
    specs = {spec.name: spec for spec in architectures}
    model_type = (folder.json("config.json") or {}).get("model_type")
    model = model_type if isinstance(model_type, str) and model_type else None
    named = tokenizer_class(folder)
    if named is None or (model is not None and model not in specs):
        return Family(model, model)
    serving = [
        spec.name for spec in specs.values() if named in {each.removesuffix("Fast") for each in spec.tokenizer_classes}
    ]
    if model in serving:
        return Family(model, model)
    files = next(iter(serving), None)
    if model is None:
        return Family(files, files)
    readers = "no installed architecture" if files is None else repr(files)
    warnings.warn(
        f"{folder.label}: the tokenizer class {shown(named)} is none of model_type {shown(model)}; its files are read "
        f"as those of {readers}, and inputs and padding are those of {shown(model)}",
        stacklevel=3,  # to whoever loads the tokenizer
    )
    return Family(model, files)


def _facts(recipe: Recipe | None, model: TextFacts | None) -> TextFacts:
    """What is true of a tokenizer whose files ``recipe`` reads, in front of a model of these facts."""
    if recipe is None:
        return NO_FAMILY if model is None else replace(model, tokenizer_class=NO_FAMILY.tokenizer_class)
    return recipe.facts if model is None else recipe.facts.serving(model)


def _copied(folder: "Folder", recipe: Recipe | None) -> dict[str, bytes]:
    """What the recipe says to copy when the tokenizer is saved."""
    paths = {name: folder.path(name) for name in (() if recipe is None else recipe.copied)}
    return {name: path.read_bytes() for name, path in paths.items() if path is not None}


def _chat_template(folder: "Folder", settings: Settings, given: bool) -> ChatTemplate:
    """The chat template that was given or stands in a file of its own, else that of ``tokenizer_config.json``.

    Raises `TextError` for one that is none.
    """
    stored = read_templates(settings.values.get("chat_template"), f"{settings.label}: chat_template")
    default = None if given else _text(folder, TEMPLATE_FILE)
    if default is None:
        return stored
    named = {name: _text(folder, file) for name, file in NAMED_TEMPLATES.items()}
    others = {name: template for name, template in named.items() if template is not None}
    return {"default": default, **others} if others else default


def _text(folder: "Folder", name: str) -> str | None:
    path = folder.path(name)
    try:
        return None if path is None else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TextError(f"{folder.label}/{name}: cannot be read: {error}") from error


def _require(folder: "Folder", recipe: Recipe) -> None:
    """Raise `TextError` unless the folder has every file of one of the recipe's sets."""
    if not _has_files(folder, recipe):
        wanted = ", or ".join(" with ".join(files) for files in ((TOKENIZER_FILE,), *recipe.files))
        named = dict.fromkeys(name for files in recipe.files for name in files)
        some = [name for name in named if folder.path(name) is not None]
        found = f"there is {' and '.join(some)} alone" if some else "there is no tokenizer"
        raise TextError(f"{folder.label}: {found}; it needs {wanted}")


def _has_files(folder: "Folder", recipe: Recipe) -> bool:
    return any(all(folder.path(name) is not None for name in files) for files in recipe.files)


def _vocabulary(built: Backend | Numbered, settings: Settings, folder: "Folder", *, first: bool = True) -> Vocabulary:
    """The tokenizer with the added tokens and special roles of its settings, set neither to truncate nor to pad.

    The settings state the ids of added tokens in the ``first`` vocabulary; a second one may have others, in this order.
    """
    backend, cutter = built if isinstance(built, Numbered) else (built, None)
    for each in (backend,) if cutter is None else (backend, cutter):
        each.no_truncation()
        each.no_padding()
    for token in (
        *settings.added_tokens.values(),
        *settings.special_tokens.values(),
        *settings.additional_special_tokens,
    ):
        check_piece(token.content, settings.label, LONGEST_ADDED_TOKEN)
    tokens = register(backend, settings)
    for number, token in settings.added_tokens.items() if first else ():
        if backend.token_to_id(token.content) != number:
            raise TextError(
                f"{folder.label}: the added token {token.content!r} should have the id {number}, but the vocabulary "
                f"gives it {backend.token_to_id(token.content)}; the files are of different tokenizers"
            )
    backend = with_tokens(backend, tokens)
    roles = {
        role: token for role, token in settings.special_tokens.items() if backend.token_to_id(token.content) is not None
    }
    cuts = None if cutter is None else Cutter.of(Numbered(backend, with_written(cutter, tokens)))
    return Vocabulary(backend, roles, settings.additional_special_tokens, cuts)
