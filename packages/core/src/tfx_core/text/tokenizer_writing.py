"""Writing a tokenizer so that this library and transformers read it back with the same ids."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tokenizers import AddedToken

from tfx_core.checkpoint import written_json
from tfx_core.errors import TextError
from tfx_core.text.added_tokens import token_flags
from tfx_core.text.chats import NAMED_TEMPLATES, TEMPLATE_FILE, ChatTemplate, template_entry, template_files
from tfx_core.text.framing import Framing
from tfx_core.text.guard import guarded
from tfx_core.text.known_tokens import KnownTokens
from tfx_core.text.recipe import JSON, NO_FAMILY, Recipe, Settings, TextFacts
from tfx_core.text.settings import ADDED_FILE, CONFIG_FILE, SPECIAL_FILE, is_general

TOKENIZER_FILE = "tokenizer.json"

_STALE = (TOKENIZER_FILE, ADDED_FILE, TEMPLATE_FILE, *NAMED_TEMPLATES.values())

_NOT_WRITTEN = {
    *("name_or_path", "tokenizer_file", "special_tokens_map_file", "vocab_file", "merges_file", "device_map"),
    *("is_local", "local_files_only"),
    *("additional_special_tokens", "extra_special_tokens", "chat_template"),  # written as what they are now
}
"""Keys of ``tokenizer_config.json`` that say where files once lay, or that are written in another form."""


@dataclass(frozen=True)
class Origin:
    """Where a tokenizer came from."""

    settings: Settings
    facts: TextFacts
    recipe: Recipe | None
    copied: Mapping[str, bytes]
    """Contents of the files that the recipe says to copy."""


def write_tokenizer(
    folder: str | os.PathLike[str],
    tokens: Framing,
    conventions: Mapping[str, JSON],
    chat_template: ChatTemplate,
    origin: Origin | None,
) -> tuple[str, ...]:
    """Write a tokenizer's files, all or none of them; gives their paths.

    ``conventions`` are how it is called, as ``tokenizer_config.json`` has it. Raises `TextError` for a tokenizer with
    parts in Python whose recipe cannot make its legacy files, and for a folder that cannot be written.
    """
    from tfx_core.checkpoint import replacing_files, save_errors

    files: dict[str, bytes] = {}
    if origin is not None and origin.recipe is not None:
        files.update(origin.copied)
        files.update(origin.recipe.legacy_files(tokens.vocabulary.backend, origin.settings))
    try:
        files[TOKENIZER_FILE] = _tokenizer_json(folder, tokens)
    except TextError:
        if not files:
            raise
    templates = _template_files(chat_template, origin)
    files.update(templates)
    entry = {} if templates else template_entry(chat_template)
    files[CONFIG_FILE] = _json({**_config(tokens, origin), **conventions, **entry})
    files[SPECIAL_FILE] = _json(_special_tokens(tokens))
    added = {token: number for token, number in tokens.get_added_vocab().items() if number >= tokens.vocab_size}
    if added:
        files[ADDED_FILE] = _json(added)

    # An older tokenizer's files that this one does not have would be read in place of what it has.
    with (
        save_errors(folder, TextError),
        replacing_files(Path(folder), stale=lambda old, new: _STALE, last=[CONFIG_FILE]) as new,
    ):
        for name, contents in files.items():
            (new / name).parent.mkdir(exist_ok=True)
            (new / name).write_bytes(contents)
    return tuple(os.path.join(os.path.expanduser(folder), name) for name in sorted(files))


def _tokenizer_json(folder: str | os.PathLike[str], tokens: Framing) -> bytes:
    """The file of the `tokenizers` library; raises `TextError` for a tokenizer that it cannot hold."""
    vocabulary = tokens.vocabulary
    if vocabulary.cutter is not None or tokens.target_vocabulary is not vocabulary:
        raise TextError(f"{folder}: no {TOKENIZER_FILE} holds a tokenizer with two sides, or with ids of another file")
    with guarded(f"{folder}: this tokenizer has parts that no file can hold"):
        return str(tokens.framed.backend.to_str(pretty=True)).encode("utf-8")


def _template_files(template: ChatTemplate, origin: Origin | None) -> Mapping[str, bytes]:
    """A chat template in files of its own; none where it stood in ``tokenizer_config.json``, or has no such file."""
    within = origin is not None and "chat_template" in origin.settings.declared
    return {} if within else template_files(template)


def _config(tokens: KnownTokens, origin: Origin | None) -> dict[str, JSON]:
    """``tokenizer_config.json``: what was read, with what the tokens are now."""
    facts = NO_FAMILY if origin is None else origin.facts
    read = {} if origin is None else origin.settings.values
    written = {key: value for key, value in read.items() if origin is not None and key in origin.settings.declared}
    named = None if origin is None or origin.recipe is None else origin.settings.tokenizer_class
    roles: dict[str, str | list[str] | None] = {**dict.fromkeys(facts.special_tokens), **tokens.special_tokens_map}
    if facts.additional_special_tokens:
        roles.setdefault("additional_special_tokens", [])
    return {
        "tokenizer_class": named or facts.tokenizer_class,
        **{key: value for key, value in written.items() if key not in _NOT_WRITTEN},
        **({"tokenizer_class": NO_FAMILY.tokenizer_class} if is_general(written.get("tokenizer_class")) else {}),
        **{role: token if isinstance(token, str) or token is None else [*token] for role, token in roles.items()},
        "added_tokens_decoder": {str(number): _flags(token) for number, token in tokens.added_tokens_decoder.items()},
    }


def _special_tokens(tokens: KnownTokens) -> dict[str, JSON]:
    """``special_tokens_map.json``, which older versions of transformers read."""
    special: dict[str, JSON] = {role: _short(token) for role, token in tokens.vocabulary.roles.items()}
    additional: list[JSON] = [_short(token) for token in tokens.vocabulary.additional]
    return special | ({"additional_special_tokens": additional} if additional else {})


def _flags(token: AddedToken) -> dict[str, JSON]:
    return {"content": token.content, **token_flags(token)}


def _short(token: AddedToken) -> JSON:
    """The text alone, which is how the reference writes a token that is matched as it stands."""
    flags = _flags(token)
    del flags["special"]
    return flags if any(flag is True for flag in flags.values()) else str(token.content)


def _json(value: Mapping[str, object]) -> bytes:
    return written_json(value).encode("utf-8")
