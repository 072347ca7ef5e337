"""The object ``model.generation_config``: options that are set, over those of a checkpoint's files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeAlias

from tfx_core.errors import CheckpointError, ConfigError, InputError, shown
from tfx_core.fields import checked, forms
from tfx_core.generation.defaults import SPECIAL_TOKENS, contents_of, values_from_files
from tfx_core.generation.options import DEFAULTS, OFF, OPTION_NAMES, GenerationOptions, over
from tfx_core.habits import hint, no_attribute, translated, unknown

_FILE = "generation_config.json"

Below: TypeAlias = tuple[Mapping[str, Any], str, str]
"""The contents of a ``config.json``, and what errors call the file of the options and that one."""


class GenerationConfig:
    """Fields of `GenerationOptions`, to be read and set one by one; what is not set reads as what it would be.

    A value is checked when it is set, combinations when they are used. ``None`` takes a value back.
    """

    _from_model_config = False
    """A note that the reference's trainer reads and sets."""

    def __init__(self, **options: Any) -> None:
        self._file: Mapping[str, Any] | None = {}
        self._own: dict[str, Any] = {}
        self._below: Below = ({}, _FILE, "config.json")
        self._read: tuple[Mapping[str, Any], dict[str, Any]] | None = None
        self.update(**options)

    @classmethod
    def of_file(cls, contents: Mapping[str, Any] | None) -> Self:
        """Of the contents of a ``generation_config.json``, which are checked when they are used; ``None`` without."""
        made = cls()
        made._file = contents
        return made

    @classmethod
    def of(cls, given: object) -> "GenerationConfig":
        """Of what a caller gives: one of these, a dict, `GenerationOptions`, or transformers' ``GenerationConfig``.

        Of the last two, what is not the default is set.
        """
        if isinstance(given, GenerationConfig):
            return given
        if given is None:
            return cls.of_file(None)
        if isinstance(given, GenerationOptions):
            return cls(**given.given())
        if isinstance(given, Mapping):
            return cls(**given)
        if callable(getattr(given, "to_dict", None)):
            return cls(**_of_reference(given))
        raise InputError(f"generation_config={shown(given)}: must be a GenerationConfig, GenerationOptions or a dict")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], **options: Any) -> Self:
        """Of a dict, with ``options`` over it."""
        made = cls(**values)
        made.update(**options)
        return made

    @classmethod
    def from_pretrained(cls, folder: str | Path, **options: Any) -> Self:
        """Of the file of a checkpoint, a folder or a hub id, with ``options`` over it; `ConfigError` without one."""
        from tfx_core.checkpoint import open_folder

        contents = open_folder(folder).json(_FILE)
        if contents is None:
            raise ConfigError(f"{folder}: has no {_FILE}; load_model(…).generation_config has what config.json says")
        made = cls.of_file(contents)
        made.update(**options)
        return made

    def save_pretrained(self, folder: str | Path) -> None:
        """Write ``generation_config.json`` into a folder, which is made where it is not there.

        Raises `CheckpointError` where that cannot be, with what was there before unchanged.
        """
        from tfx_core.checkpoint import replacing, save_errors

        text = self.to_json_string()
        with save_errors(folder, CheckpointError):
            Path(folder).mkdir(parents=True, exist_ok=True)
            with replacing(Path(folder) / _FILE) as staging:
                staging.write_text(text, encoding="utf-8")

    def update(self, *, defaults_only: bool = False, **options: Any) -> None:
        """Set several fields; a bound ends its counterpart, as in `GenerationOptions.updated`.

        ``defaults_only`` leaves what is set as it is.
        """
        # of what there is not, None says so, as the reference's own to_dict() does
        given = {n: x for n, x in options.items() if x is not None or hint("generate", f"{n}=") is None}
        given = translated("generate", {name: x for name, x in given.items() if not name.startswith("_")})
        already = self.set_values() if defaults_only else {}
        given = {name: x for name, x in given.items() if name not in already}
        if wrong := given.keys() - OPTION_NAMES:
            raise TypeError(unknown("generate", wrong, OPTION_NAMES, type(self).__name__))
        allowed = forms(GenerationOptions)
        values = {n: None if x is None else checked(x, allowed[n], n, InputError) for n, x in given.items()}
        if values:
            before = {**dict.fromkeys(OPTION_NAMES), **self.set_values()}
            self._own = {**self._own, **over(before, values)}

    @staticmethod
    def _get_default_generation_params() -> dict[str, Any]:
        """What the reference's trainer takes for a config in which nothing was set."""
        return {"max_length": 20}

    def set_values(self) -> dict[str, Any]:
        """The options that are set, here or in the files below; None for what was taken back."""
        return {**self._stored(self._below), **self._own}

    def above(self, config: Mapping[str, Any], where: str, config_where: str) -> Self:
        """The same, reading what it does not say from a ``config.json``; both files as errors call them."""
        self._below = (config, where, config_where)
        return self

    def options(self) -> GenerationOptions:
        """The whole of the options; `ConfigError` naming the file, or `InputError`, for what does not go together."""
        below, own = self._below, self._own
        try:
            return GenerationOptions(**{**self._stored(below), **own})
        except ConfigError:
            raise
        except InputError as error:
            if own:
                raise InputError(f"generation_config: {error}") from None
            raise ConfigError(f"{below[2 if self._file is None else 1]}: {error}") from None

    def contents(self) -> dict[str, Any] | None:
        """What a file is to say; ``None`` where there was none and nothing is set."""
        if not self._own:
            return None if self._file is None else dict(self._file)
        others = {name: x for name, x in (self._file or {}).items() if name not in OPTION_NAMES}
        # of these a file says that there is none, or they would be read of config.json
        none = {name: None for name in SPECIAL_TOKENS if self._own.get(name, 0) is None}
        return {**others, **none, **contents_of(GenerationOptions(**self.set_values()))}

    def to_json_string(self) -> str:
        """What a file is to say."""
        from tfx_core.checkpoint import written_json

        return written_json(self.contents() or {})

    def to_diff_dict(self) -> dict[str, Any]:
        """What is set to something else than its default."""
        return {name: x for name, x in self.to_dict().items() if x != DEFAULTS[name]}

    def validate(self, strict: bool = False) -> None:
        """Raise `InputError` for what does not go together; each value is checked when it is set."""
        self.options()

    def to_dict(self) -> dict[str, Any]:
        """Every field, set or not."""
        values = self.set_values()
        off = {name: OFF.get(name, DEFAULTS[name]) for name, x in values.items() if x is None}
        return {**DEFAULTS, **values, **off}

    def _stored(self, below: "Below") -> dict[str, Any]:
        config, where, config_where = below
        if not self._file and not config:
            return {}
        read = self._read
        if read is None or read[0] != config:
            values = values_from_files(self._file, config, where, config_where)
            read = self._read = (config, values)
        return read[1]

    def __getattr__(self, name: str) -> Any:
        if name not in OPTION_NAMES:
            raise AttributeError(no_attribute("generate", name, OPTION_NAMES, type(self).__name__))
        value = self.to_dict()[name]
        # what the reference has, and its trainer compares numbers with, where nobody limits the length
        return 20 if name == "max_length" and value is None else value

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
            return
        try:
            changes: dict[str, Any] = {name: value}
            self.update(**changes)
        except TypeError as error:
            raise AttributeError(*error.args) from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GenerationConfig) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        values = sorted(self.set_values().items())
        return f"GenerationConfig({', '.join(f'{name}={x!r}' for name, x in values if x is not None)})"


def options_from_files(
    generation_config: Mapping[str, Any] | None,
    config: Mapping[str, Any] | None,
    *,
    where: str = _FILE,
    config_where: str = "config.json",
) -> GenerationOptions:
    """The options that a checkpoint's files ask for; each file as the contents of its JSON, ``None`` where absent.

    With a ``generation_config.json``, the other file only adds special tokens that it lacks. Settings under
    ``task_specific_params`` are for the tasks that they name and not applied here. A key that cannot be honoured is
    named in a warning; a value that cannot be meant is a `ConfigError` with file, key and value.
    """
    return GenerationConfig.of_file(generation_config).above(config or {}, where, config_where).options()


def given_options(generation_config: object) -> dict[str, Any]:
    """What a caller's ``generation_config=`` sets, in any of its forms; raises as `GenerationConfig.of` does."""
    values = GenerationConfig.of(generation_config).set_values()
    return {name: x for name, x in values.items() if x is not None or name in OFF}


def _of_reference(config: Any) -> dict[str, Any]:
    """What is set in a config of the reference library: what one that nobody touched does not say."""
    untouched = type(config)().to_dict()
    return {name: x for name, x in config.to_dict().items() if name not in untouched or x != untouched[name]}
