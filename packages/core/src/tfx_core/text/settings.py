"""Reading ``tokenizer_config.json``, ``special_tokens_map.json`` and ``added_tokens.json`` into one checked `Settings`.

Which file wins follows transformers: ``added_tokens_decoder`` in ``tokenizer_config.json``, where it is present, makes
the other two files, which older versions wrote, void; else ``special_tokens_map.json`` goes over
``tokenizer_config.json``.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tokenizers import AddedToken

from tfx_core.errors import TextError, shown
from tfx_core.habits import unknown
from tfx_core.text.added_tokens import token_flags
from tfx_core.text.lengths import UNLIMITED, is_unlimited
from tfx_core.text.recipe import JSON, SPECIAL_ROLES, Settings, TextFacts

if TYPE_CHECKING:
    from tfx_core.checkpoint import Folder

CONFIG_FILE = "tokenizer_config.json"
SPECIAL_FILE = "special_tokens_map.json"
ADDED_FILE = "added_tokens.json"

GENERAL_OPTIONS = (
    *SPECIAL_ROLES,
    "additional_special_tokens",
    "model_max_length",
    "padding_side",
    "truncation_side",
    "model_input_names",
    "clean_up_tokenization_spaces",
    "split_special_tokens",
    "chat_template",
)
"""What every tokenizer takes from ``tokenizer_config.json`` and as a keyword of `tfx_core.load_tokenizer`."""

_GENERAL_CLASSES = ("PreTrainedTokenizer", "TokenizersBackend", "PythonBackend", "SentencePieceBackend")
"""Classes of the reference, without ``Fast`` at the end, that are no family's: the base classes of its versions."""

_FLAGS = {"content", "lstrip", "rstrip", "normalized", "single_word", "special", "__type", "id"}

_DIGITS = 10
"""Of an id, which has 32 bits."""


def read_settings(
    folder: "Folder", facts: TextFacts, options: Mapping[str, JSON], overrides: Mapping[str, object]
) -> Settings:
    """What ``folder`` and the caller's ``overrides`` say over a family's ``facts`` and the defaults of its ``options``.

    Raises `TextError` that names file, key and value for a value that cannot be used, and `TypeError` for an override
    that is neither in `GENERAL_OPTIONS` nor in ``options``.
    """
    accepted = {*GENERAL_OPTIONS, *options}
    strange = overrides.keys() - accepted
    if strange:
        raise TypeError(unknown("load_tokenizer", strange, accepted))
    label = f"{folder.label}/{CONFIG_FILE}"
    stored = _read_files(folder)
    added = _added_tokens_decoder(stored.pop("added_tokens_decoder", None), label)
    stored.update(overrides)  # type: ignore[arg-type]  # checked below, like what the files hold

    roles = _roles(stored, facts)
    special = {role: _token(value, f"{label}: {role}") for role, value in roles.items() if value is not None}
    additional = _additional(stored, facts, {token.content for token in special.values()}, label)
    if added is None:
        added = _legacy_added_tokens(folder, {token.content for token in (*special.values(), *additional)})
    # The flags of a token are in the list of added tokens; roles only name it.
    known = {token.content: token for token in added.values()}
    flagged = {token.content for role, token in special.items() if not isinstance(roles[role], str)}
    values = {**options, **{key: value for key, value in stored.items() if key not in SPECIAL_ROLES}}
    return Settings(
        values=values | _general_values(values, facts, label),
        special_tokens={role: known.get(token.content, token) for role, token in special.items()},
        additional_special_tokens=tuple(known.get(token.content, token) for token in additional),
        added_tokens=added,
        declared=frozenset(stored),
        flagged=frozenset(flagged | set(known)),
        label=label,
        tokenizer_class=tokenizer_class(folder),
    )


def tokenizer_class(folder: "Folder") -> str | None:
    """The tokenizer class that ``tokenizer_config.json``, else ``config.json``, names, without ``Fast`` at its end.

    None where they name none, or one that is general to all families.
    """
    for file in (CONFIG_FILE, "config.json"):
        value = (folder.json(file) or {}).get("tokenizer_class")
        if value is not None:
            if not isinstance(value, str):
                raise TextError(f"{folder.label}/{file}: tokenizer_class is {shown(value)}; it must be a string")
            if not is_general(value):
                return value.removesuffix("Fast")
    return None


def is_general(name: object) -> bool:
    """Whether a tokenizer class says nothing of the family that it is for."""
    return isinstance(name, str) and name.removesuffix("Fast") in _GENERAL_CLASSES


def _read_files(folder: "Folder") -> dict[str, JSON]:
    """``tokenizer_config.json`` with ``special_tokens_map.json`` over it, where that counts."""
    stored: dict[str, JSON] = dict(folder.json(CONFIG_FILE) or {})
    if "max_len" in stored:
        stored.setdefault("model_max_length", stored.pop("max_len"))
    if stored.get("added_tokens_decoder") is None:
        special: dict[str, JSON] = dict(folder.json(SPECIAL_FILE) or {})
        ours, theirs = stored.get("additional_special_tokens"), special.get("additional_special_tokens")
        if isinstance(ours, list) and isinstance(theirs, list):
            special["additional_special_tokens"] = ours + [token for token in theirs if token not in ours]
        stored.update(special)
    return stored


def _roles(stored: Mapping[str, JSON], facts: TextFacts) -> dict[str, object]:
    """Role -> token as the files write it, from the files or from the family's facts."""
    roles: dict[str, object] = {}
    for role in SPECIAL_ROLES:
        of_family = facts.special_tokens.get(role)
        token = stored.get(role, of_family)
        if isinstance(token, str) and isinstance(of_family, AddedToken):
            token = AddedToken(token, **token_flags(of_family))
        roles[role] = token
    return roles


def _additional(stored: Mapping[str, JSON], facts: TextFacts, with_role: set[str], label: str) -> list[AddedToken]:
    """The special tokens without a role, from the files or from the family's facts.

    Version 4 of transformers has further ones under names of their own in ``extra_special_tokens``; to version 5 that
    is the list of all, and tokens that have a role are among them.
    """
    key, extra = "additional_special_tokens", "extra_special_tokens"
    by_default = () if isinstance(stored.get(extra), list) else facts.additional_special_tokens
    tokens = [
        *_tokens(stored.get(key, by_default), f"{label}: {key}"),
        *(token for token in _tokens(stored.get(extra), f"{label}: {extra}") if token.content not in with_role),
    ]
    return list({token.content: token for token in tokens}.values())


def _general_values(values: Mapping[str, JSON], facts: TextFacts, label: str) -> dict[str, JSON]:
    """What every tokenizer has, checked, from the files or from the family's facts."""
    length = values.get("model_max_length")
    if length is None:
        length = UNLIMITED
    if isinstance(length, bool) or not isinstance(length, int | float) or not length > 0:
        raise TextError(
            f"{label}: model_max_length is {shown(length)}; it must be a number of tokens, or null for no limit"
        )
    checked: dict[str, JSON] = {"model_max_length": UNLIMITED if is_unlimited(length) else int(length)}
    for key, side in (("padding_side", facts.padding_side), ("truncation_side", facts.truncation_side)):
        checked[key] = side if values.get(key) is None else values[key]
        if checked[key] not in ("left", "right"):
            raise TextError(f'{label}: {key} is {shown(checked[key])}; it must be "left" or "right"')
    for key, flag in (
        ("clean_up_tokenization_spaces", facts.clean_up_tokenization),
        ("split_special_tokens", False),
    ):
        checked[key] = flag if values.get(key) is None else values[key]
        if not isinstance(checked[key], bool):
            raise TextError(f"{label}: {key} is {shown(checked[key])}; it must be true or false")
    names = values.get("model_input_names") or list(facts.model_input_names)
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise TextError(f"{label}: model_input_names is {shown(names)}; it must be a list of names of model inputs")
    checked["model_input_names"] = list(names)
    return checked


def _added_tokens_decoder(value: object, label: str) -> dict[int, AddedToken] | None:
    if value is None:
        return None
    where = f"{label}: added_tokens_decoder"
    if not isinstance(value, Mapping):
        raise TextError(f"{where} is {shown(value)}; it must be an object of id -> token")
    tokens = {}
    for key, token in value.items():
        if not str(key).isdecimal() or len(str(key)) > _DIGITS:
            raise TextError(f"{where} has the key {shown(key)}; its keys must be token ids")
        tokens[int(key)] = _token(token, f"{where}[{key}]", special=False)
    return dict(sorted(tokens.items()))


def _legacy_added_tokens(folder: "Folder", special: set[str]) -> dict[int, AddedToken]:
    where = f"{folder.label}/{ADDED_FILE}"
    tokens: dict[int, AddedToken] = {}
    for content, number in (folder.json(ADDED_FILE) or {}).items():
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise TextError(f"{where}: {shown(content)} has the id {shown(number)}; it must be a whole number")
        if number in tokens:
            raise TextError(f"{where}: {shown(content)} and {shown(tokens[number].content)} have the same id {number}")
        tokens[number] = AddedToken(content, special=content in special, normalized=content not in special)
    return dict(sorted(tokens.items()))


def _token(value: object, where: str, special: bool = True) -> AddedToken:
    """A token as the files write it: its text, or an object of its text and flags."""
    if isinstance(value, AddedToken):
        return value
    if isinstance(value, str):
        return AddedToken(value, special=special, normalized=False)
    if not isinstance(value, Mapping) or not isinstance(value.get("content"), str) or set(value) - _FLAGS:
        raise TextError(
            f'{where} is {shown(value)}; it must be a token or an object like {{"content": "<s>", "lstrip": false}}'
        )
    flags = {key: flag for key, flag in value.items() if key not in ("content", "__type", "id")}
    wrong = [key for key, flag in flags.items() if not isinstance(flag, bool)]
    if wrong:
        raise TextError(f"{where}: {wrong[0]} is {shown(flags[wrong[0]])}; it must be true or false")
    flags["special"] = special or flags.get("special", False)
    flags.setdefault("normalized", not flags["special"])
    return AddedToken(value["content"], **flags)


def _tokens(value: object, where: str) -> Iterable[AddedToken]:
    if value is None:
        return []
    items = list(value.values()) if isinstance(value, Mapping) else value
    if isinstance(items, str) or not isinstance(items, Iterable):
        raise TextError(f"{where} is {shown(value)}; it must be a list of tokens")
    return [_token(item, where) for item in items]
