"""The generation defaults of a checkpoint: ``generation_config.json``, else the legacy keys of ``config.json``."""

import warnings
from collections.abc import Mapping
from typing import Any

from tfx_core.errors import ConfigError, InputError, in_one_line, shown
from tfx_core.fields import checked, forms
from tfx_core.generation.options import OPTION_NAMES, GenerationOptions
from tfx_core.model.known_keys import GENERATION_KEYS

_TOKENS = ("bos_token_id", "pad_token_id", "eos_token_id", "decoder_start_token_id")

# how the reference library computes, not what: these never change a result
_NO_MATTER = frozenset({
    "use_cache", "cache_implementation", "cache_config", "return_legacy_cache", "prefill_chunk_size", "low_memory",
    "compile_config", "disable_compile", "transformers_version", "is_assistant",
    "assistant_early_exit", "assistant_lookbehind",
    "target_lookbehind",
})  # fmt: skip
# written by the reference library with values that ask for nothing
_IDLE: dict[str, tuple[Any, ...]] = {
    "guidance_scale": (1, 1.0), "token_healing": (False,), "output_attentions": (False,),
    "output_hidden_states": (False,),
}  # fmt: skip
_DEFAULT_MAX_LENGTH = 20


def options_from_files(
    generation_config: Mapping[str, Any] | GenerationOptions | None,
    config: Mapping[str, Any] | None,
    *,
    where: str = "generation_config.json",
    config_where: str = "config.json",
) -> GenerationOptions:
    """The options that a checkpoint's files ask for; each file as the contents of its JSON, ``None`` where absent.

    With a ``generation_config.json``, or options in its place, the other file only adds special tokens that these lack.
    Settings under ``task_specific_params`` are for the tasks that they name and not applied here. A key that cannot be
    honoured is named in a warning; a value that cannot be meant is a `ConfigError` with file, key and value.
    """
    names = _TOKENS if generation_config is not None else GENERATION_KEYS + _TOKENS
    given = _checked({name: config[name] for name in names if name in config} if config else {}, config_where)
    if isinstance(generation_config, GenerationOptions):
        return generation_config.updated(
            **{name: given[name] for name in given.keys() - generation_config.given().keys()}
        )
    if generation_config is None:
        where = config_where
    elif isinstance(generation_config, Mapping):
        given.update(_checked(_understood(generation_config, where), where))
    else:
        raise InputError(
            f"generation_config={shown(generation_config)}: must be GenerationOptions, or the contents of a "
            "generation_config.json"
        )
    if given.get("max_length") == _DEFAULT_MAX_LENGTH or "max_new_tokens" in given:
        given.pop("max_length", None)  # 20 is what the reference library writes for "not set"
    if "min_new_tokens" in given:
        given.pop("min_length", None)
    try:
        return GenerationOptions(**given)
    except InputError as error:
        raise ConfigError(f"{where}: {error}") from None


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
    given, ignored = {}, []
    for name, value in values.items():
        if value is None or name.startswith("_") or name in _NO_MATTER or value in _IDLE.get(name, ()):
            continue
        if name in OPTION_NAMES:
            given[name] = value
        else:
            ignored.append(name)
    if ignored:
        told = in_one_line(f"{where}: not known and ignored: {', '.join(sorted(ignored))}")
        warnings.warn(told, stacklevel=3)
    return given
