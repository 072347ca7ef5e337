"""The generation defaults of a checkpoint: ``generation_config.json``, else the legacy keys of ``config.json``."""

import warnings
from collections.abc import Mapping
from typing import Any

from tfx_core.errors import ConfigError, InputError, in_one_line
from tfx_core.fields import checked, forms
from tfx_core.generation.options import OPTION_NAMES, GenerationOptions
from tfx_core.habits import translated
from tfx_core.habits.generating import COMPUTING
from tfx_core.model.known_keys import GENERATION_KEYS

SPECIAL_TOKENS = ("bos_token_id", "pad_token_id", "eos_token_id", "decoder_start_token_id")

_NO_MATTER = {each.name for each in COMPUTING}
# written by the reference library with values that ask for nothing
_IDLE: dict[str, tuple[Any, ...]] = {"output_attentions": (False,), "output_hidden_states": (False,)}
_DEFAULT_MAX_LENGTH = 20


def values_from_files(
    generation_config: Mapping[str, Any] | None, config: Mapping[str, Any], where: str, config_where: str
) -> dict[str, Any]:
    """What `options_from_files` makes options of, each value checked by itself."""
    names = SPECIAL_TOKENS if generation_config is not None else GENERATION_KEYS + SPECIAL_TOKENS
    given = _checked({name: config[name] for name in names if name in config}, config_where)
    if generation_config is not None:
        given.update(_checked(_understood(generation_config, where), where))
        given = {name: x for name, x in given.items() if generation_config.get(name, x) is not None}
    if given.get("max_length") == _DEFAULT_MAX_LENGTH or "max_new_tokens" in given:
        given.pop("max_length", None)  # 20 is what the reference library writes for "not set"
    if "min_new_tokens" in given:
        given.pop("min_length", None)
    return given


def contents_of(options: GenerationOptions) -> dict[str, Any]:
    """A ``generation_config.json`` that asks for these options; `InputError` for what no file can say."""
    contents = options.given()
    if "constraints" in contents:
        raise InputError("constraints: a file cannot hold them; pass them to generate, or use force_words_ids")
    if "sequence_bias" in contents:
        contents["sequence_bias"] = [[list(ids), bias] for ids, bias in options.biases.items()]
    return contents


def _checked(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The values that are not null; raises `ConfigError` with the file and the words of JSON."""
    given = {name: value for name, value in values.items() if value is not None}
    for name in ("pad_token_id", "bos_token_id"):
        if isinstance(given.get(name), int) and given[name] < 0:
            del given[name]  # some files write -1 for "none"
    allowed = forms(GenerationOptions)
    return {name: checked(value, allowed[name], name, ConfigError, where=where) for name, value in given.items()}


def _understood(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The options among what a file of the reference library says; a warning names what cannot be honoured."""
    given, ignored = {}, []
    for name, value in values.items():
        if value is None or name.startswith("_") or value in _IDLE.get(name, ()):
            continue
        if name in OPTION_NAMES:
            given[name] = value
        elif name not in _NO_MATTER and not _asks_for_nothing(name, value):
            ignored.append(name)
    if ignored:
        told = in_one_line(f"{where}: not known and ignored: {', '.join(sorted(ignored))}")
        warnings.warn(told, stacklevel=2)
    return given


def _asks_for_nothing(name: str, value: object) -> bool:
    try:
        return translated("generate", {name: value}) == {}
    except (TypeError, InputError):
        return False
