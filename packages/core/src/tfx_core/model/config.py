"""Configurations: one dataclass per architecture whose fields are the keys of ``config.json``."""

import dataclasses
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NoReturn, Self, TypeAlias

from tfx_core.errors import ConfigError, UnknownNameError, shown
from tfx_core.fields import Between, Checked, Nested, checked, plain
from tfx_core.habits import hint, no_attribute, unknown
from tfx_core.model.known_keys import GENERATION_KEYS, INERT_KEYS, NEUTRAL_VALUES, READ_WHERE_ABSENT
from tfx_core.plugins import ArchitectureSpec, registry

MOST_LABELS = 2**16
"""Classes that a config may name; they are written out one by one."""
LARGEST = 10**9
"""Greatest number that a config may hold: products of three such sizes are what torch can count."""

ProblemType: TypeAlias = Literal["regression", "single_label_classification", "multi_label_classification"]


@dataclass(kw_only=True)
class ModelConfig(Checked, Nested):
    """The keys that every ``config.json`` may have; an architecture's subclass adds its own.

    Values are checked against the annotations when an instance is made; `ConfigError` names key, value and what is
    allowed, and the file where there is one. A field may be the config of another model, an object in the file: of the
    class that annotates it, or, annotated as `ModelConfig`, of the architecture that the object's ``model_type`` names.

    Fields that a call reads can be set, and are checked in the same way; those that shape a model when it is built
    cannot: an `AttributeError` says what to do instead.
    """

    model_type: ClassVar[str] = ""
    aliases: ClassVar[Mapping[str, str]] = {}
    """Other spellings, found in released files or common to all architectures -> field name.

    Sizes are ``hidden_size``, ``num_hidden_layers``, ``num_attention_heads``, ``intermediate_size``, ``vocab_size`` and
    ``max_position_embeddings`` of every config: as an attribute, in `replace` and in files an alias stands for its
    field. Of an encoder-decoder they are the encoder's.
    """
    absent: ClassVar[Mapping[str, str]] = {}
    """Those of the common names that are no keys of this architecture -> why.

    They read as ``None``, unless a property tells them from other keys.
    """
    settable: ClassVar[Collection[str]] = frozenset({
        "architectures", "id2label", "problem_type", "pad_token_id", "bos_token_id", "eos_token_id",
        "decoder_start_token_id", "output_attentions", "output_hidden_states", "return_dict", "extra",
    })  # fmt: skip
    """Fields that are read at a call, not when a model is built."""
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values", "mems"]
    """Results that a training loop of others, which adds to the list, does not gather."""
    inert_keys: ClassVar[Collection[str]] = ()
    """Keys of files that are no fields because they change no result here, beside those of every architecture."""
    neutral_values: ClassVar[Mapping[str, Collection[Any]]] = {}
    """Keys that change results and cannot be honoured -> the values, beside null, with which they do not.

    A file with another value is refused. A key that is no field and in neither list is kept in ``extra`` as well, and
    a warning names it when the file is loaded.
    """
    default_num_labels: ClassVar[int] = 2
    """Number of classes where the file names neither their number nor them."""

    architectures: tuple[str, ...] = ()
    """Class names by which the reference library knows what the checkpoint holds."""
    num_labels: Annotated[int, Between(0, MOST_LABELS)] = 0
    """Number of classes of a classification head; by default as many as ``id2label`` names, else two (BART: three)."""
    id2label: dict[int, str] = field(default_factory=dict)
    """Name of each class; by default ``LABEL_0``, ``LABEL_1``, …"""
    problem_type: ProblemType | None = None
    """Loss of sequence classification; by default told from ``num_labels`` and the labels' type."""
    is_encoder_decoder: bool = False
    """Whether the model has an encoder and a decoder."""
    is_decoder: bool = False
    """Whether an encoder architecture runs as a decoder, with a causal mask."""
    add_cross_attention: bool = False
    """Whether a decoder attends to another model's states."""
    tie_word_embeddings: bool = True
    """Whether the output layer is the input embeddings, where a checkpoint does not hold two that differ.

    Where false, two that are equal stay two.
    """
    pruned_heads: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Attention heads that were removed: layer -> numbers of the heads in the unpruned model, -1 for the last one."""
    pad_token_id: int | None = None
    """Id of the padding token."""
    bos_token_id: int | None = None
    """Id that starts a text."""
    eos_token_id: int | tuple[int, ...] | None = None
    """Id, or ids, that end a text."""
    decoder_start_token_id: int | None = None
    """Id with which a decoder begins."""
    output_attentions: bool = False
    """Whether a call that does not say so reports attention weights."""
    output_hidden_states: bool = False
    """Whether it reports the states of every layer."""
    return_dict: bool = True
    """Whether it gives a `tfx_core.ModelOutput`, not the tuple of its values."""
    tfx_head: str | None = None
    """Head stored in the checkpoint when no class name of the reference stands for it (a third party's head)."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Keys of the file that this architecture does not read, kept so that saving writes them back."""

    def __post_init__(self) -> None:
        named: object = self.id2label
        if isinstance(named, Mapping) and len(named) > MOST_LABELS:  # before each of them is looked at
            raise ConfigError(f"id2label: names {len(named)} classes; must be at most {MOST_LABELS}")
        super().__post_init__()
        for name in self.field_names():
            if name != "extra" and any(abs(number) > LARGEST for number in _integers(getattr(self, name))):
                raise ConfigError(f"{name}={shown(getattr(self, name))}: must be at most {LARGEST}")
        neutral = {**NEUTRAL_VALUES, **self.neutral_values}
        for key, value in self.extra.items():
            if key in neutral and value is not None and value not in neutral[key]:
                allowed = " or ".join([*map(repr, neutral[key]), "null"])
                raise ConfigError(f"{key}={shown(value)}: changes results and is not possible here; must be {allowed}")
        labels = self.id2label
        if self.num_labels and labels and self.num_labels != len(labels):
            raise ConfigError(f"num_labels={self.num_labels}: id2label names {len(labels)} classes")
        if sorted(labels) != list(range(len(labels))):
            raise ConfigError(
                f"id2label={shown(labels)}: the class numbers must be 0 to {len(labels) - 1} without gaps"
            )
        if not labels:
            labels = {number: f"LABEL_{number}" for number in range(self.num_labels or self.default_num_labels)}
        object.__setattr__(self, "id2label", labels)
        object.__setattr__(self, "num_labels", len(labels))
        self.validate()
        object.__setattr__(self, "pruned_heads", self._counted_heads())
        vars(self)["_name_or_path"] = ""  # the last of all: from here on what is set goes through `update`

    def __setattr__(self, name: str, value: object) -> None:
        if "_name_or_path" in vars(self):
            self.update({name: value})
        else:
            super().__setattr__(name, value)

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{name} of a {type(self).__name__} cannot be deleted")

    def update(self, values: Mapping[str, Any]) -> None:
        """Set what is read at a call, named as for `of`; keys that have no effect are kept in ``extra``.

        Raises `ConfigError` for a wrong value and `AttributeError` for what cannot be set; then nothing is.
        """
        given = dict(values)
        origin = given.pop("name_or_path", given.pop("_name_or_path", self.name_or_path))
        origin = checked(origin, str, "name_or_path")
        for name, value in given.items():
            self._check_settable(name, value)
        changed = self.replace(**given)
        if changed.num_labels != self.num_labels:
            raise ConfigError(
                f"id2label={shown(changed.id2label)}: names {changed.num_labels} classes, and the model has "
                f"{self.num_labels}: {hint('config', 'config.hidden_size = 96')}"
            )
        self.become(changed)
        vars(self)["_name_or_path"] = origin

    def become(self, other: Self) -> None:
        """Take the values of another config, for a model that was rebuilt by it: heads hold this very object."""
        vars(self).update(vars(other))

    def _check_settable(self, name: str, value: object) -> None:
        """Raise `AttributeError` for what is not read at a call, unless it has the value already."""
        own, kind = self.aliases.get(name, name), type(self).__name__
        if own in self.settable or own == "label2id" or self._is_inert(name):
            return
        if name in self.absent:
            raise AttributeError(f"{kind}.{name} cannot be set: {self.absent[name]}")
        if own not in self.field_names():
            raise AttributeError(self._lacks(name))
        if value != getattr(self, own):
            raise AttributeError(f"{kind}.{name} cannot be set: {hint('config', 'config.hidden_size = 96')}")

    def validate(self) -> None:
        """Check what concerns several fields at once, with `require`; subclasses extend it."""

    def require(self, holds: bool, key: str, allowed: str) -> None:
        """Raise `ConfigError` naming ``key``, its value and what is ``allowed`` unless the condition holds."""
        if not holds:
            raise ConfigError(f"{key}={shown(getattr(self, key))}: must be {allowed}")

    @property
    def prunable(self) -> tuple[int, int] | None:
        """Numbers of layers and of heads in each of which some may be pruned; ``None`` where none can be."""
        return None

    def _counted_heads(self) -> dict[int, tuple[int, ...]]:
        """The pruned heads, those that are counted from the end, from -1 down, by their usual numbers.

        Raises `ConfigError` unless they exist and every layer keeps one.
        """
        if not self.pruned_heads:
            return {}
        self.require(self.prunable is not None, "pruned_heads", f"empty: heads of {self.model_type} cannot be pruned")
        assert self.prunable is not None
        layers, heads = self.prunable
        counted = {
            layer + layers if layer < 0 else layer: tuple(
                sorted({head + heads if head < 0 else head for head in pruned})
            )
            for layer, pruned in self.pruned_heads.items()
        }
        self.require(
            len(counted) == len(self.pruned_heads)
            and all(0 <= layer < layers for layer in counted)
            and all(len(pruned) < heads and all(0 <= head < heads for head in pruned) for pruned in counted.values()),
            "pruned_heads",
            f"some, not all, of {heads} heads in each of {layers} layers",
        )
        return counted

    @property
    def target_vocabulary(self) -> str:
        """The key that counts the tokens that the model writes."""
        return "vocab_size"

    def begins_tied(self, name: str) -> bool:
        """Whether a new model's parameter of this name shares the tensor that it may share (`HeadPlan.ties`)."""
        return self.tie_word_embeddings

    def with_ties(self, tied: Mapping[str, bool]) -> Self:
        """A copy that says which of the parameters that may share a tensor do: name -> whether it does."""
        return self.replace(tie_word_embeddings=all(tied.values()))

    @property
    def unknown_keys(self) -> tuple[str, ...]:
        """Keys of the file of which nothing is known, those of a config within this one after its name and a dot."""
        known = {*INERT_KEYS, *GENERATION_KEYS, *NEUTRAL_VALUES, *self.inert_keys, *self.neutral_values, *self.absent}
        own = (key for key in self.extra if key not in known and not key.startswith("_"))
        parts = ((name, getattr(self, name)) for name in self.field_names())
        within = (f"{name}.{key}" for name, part in parts if isinstance(part, ModelConfig) for key in part.unknown_keys)
        return (*own, *within)

    @property
    def name_or_path(self) -> str:
        """The folder or hub id that its model was loaded from, empty where there is none."""
        return str(vars(self)["_name_or_path"])

    @property
    def use_return_dict(self) -> bool:
        """The reference's other name for ``return_dict``."""
        return self.return_dict

    @property
    def asked_of_calls(self) -> dict[str, bool]:
        """What a call reports that does not say so itself."""
        return {name: True for name in ("output_attentions", "output_hidden_states") if getattr(self, name)}

    @property
    def label2id(self) -> dict[str, int]:
        """Number of each class by its name."""
        return {label: number for number, label in self.id2label.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str = "config") -> Self:
        """Read the contents of a ``config.json``; errors name the file, ``where``.

        Aliases are resolved, unknown keys kept in ``extra``, and ``label2id`` is derived from ``id2label``.
        """
        known, extra = {}, {}
        for key, value in values.items():
            name = cls.aliases.get(key, key)
            if name in cls.field_names() and name != "extra":
                if key != name and name in values:
                    continue  # the present spelling wins over the older one
                if name == "architectures" and value is None:
                    continue  # as the reference writes of a config without a model
                known[name] = value
            elif key not in {"model_type", "label2id"}:
                extra[key] = value
        try:
            return cls(**known, extra=extra)
        except (ConfigError, UnknownNameError) as error:
            raise type(error)(f"{where}: {error}" if where else str(error)) from None

    @classmethod
    def from_pretrained(cls, path: str | Path, *, revision: str | None = None, **overrides: Any) -> Self:
        """The config of a checkpoint folder or hub id, of whatever architecture it names; no weights are read.

        ``overrides`` are as for `replace`. Raises `ConfigError` where the architecture is not that of this class.
        """
        from tfx_core.checkpoint import read_whole
        from tfx_core.model.loading import read_config

        config = read_whole(path, lambda folder: read_config(folder)[1], revision=revision)
        if not isinstance(config, cls):
            raise ConfigError(f"{path}/config.json: model_type={config.model_type!r}: must be {cls.model_type!r}")
        config = config.replace(**overrides)
        config.update({"name_or_path": str(path)})
        return config

    def save_pretrained(self, folder: str | Path) -> None:
        """Write it as ``config.json``; raises `CheckpointError` where the folder cannot be written."""
        from tfx_core.checkpoint import write_folder

        with write_folder(folder) as staging:
            self.to_json_file(staging / "config.json")

    @classmethod
    def from_object(cls, values: Mapping[str, Any]) -> Self:
        """Read the config of a model that is part of another one: this class's, or what ``model_type`` names."""
        if not cls.model_type:
            architecture: Any = registry.load(ArchitectureSpec, named_architecture(values))
            own: Self = architecture.config.from_dict(values, where="")
            return own
        if values.get("model_type", cls.model_type) != cls.model_type:
            raise ConfigError(f"model_type={shown(values['model_type'])}: must be {cls.model_type!r}")
        return cls.from_dict(values, where="")

    @classmethod
    def of(cls, **values: Any) -> Self:
        """A config with these values, by the names of its fields or their aliases; `TypeError` for any other name.

        Keys that have no effect are kept in ``extra``.
        """
        return cls(**cls._by_field(values))

    def to_dict(self) -> dict[str, Any]:
        """The contents of ``config.json``: every field that is set, then the keys kept in ``extra``."""
        values: dict[str, Any] = {"model_type": self.model_type}
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if each.name != "extra" and not (value is None and each.default is None):
                values[each.name] = plain(value)
        values["label2id"] = self.label2id
        if not self.pruned_heads:
            del values["pruned_heads"]
        return {**values, **{key: value for key, value in self.extra.items() if key not in values}}

    @property
    def of_generation(self) -> dict[str, Any]:
        """What it says of generation, among other keys; a config that nests a writer's adds what that says."""
        return self.to_dict()

    def to_json_string(self) -> str:
        """What ``config.json`` is as a file."""
        from tfx_core.checkpoint import written_json

        return written_json(self.to_dict())

    def to_json_file(self, path: str | Path) -> None:
        """Write `to_json_string` into a file."""
        Path(path).write_text(self.to_json_string(), encoding="utf-8")

    def get_text_config(self, decoder: bool = False) -> Self:
        """Itself: there is no other for text."""
        return self

    def replace(self, **changes: Any) -> Self:
        """A copy with other values, named as for `of`; ``num_labels`` alone renames the classes."""
        changes = self._by_field(changes, self.extra)
        if "num_labels" in changes and "id2label" not in changes and changes["num_labels"] != self.num_labels:
            changes["id2label"] = {}
        if "id2label" in changes and "num_labels" not in changes:
            changes["num_labels"] = 0
        changed = dataclasses.replace(self, **changes)
        vars(changed)["_name_or_path"] = self.name_or_path
        return changed

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """Names of all fields, the shared ones first."""
        return tuple(each.name for each in dataclasses.fields(cls))

    @classmethod
    def _by_field(cls, values: Mapping[str, Any], extra: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
        """The values by the names of their fields; keys without effect, beside those in ``extra``, under that name."""
        values = _by_number(values)
        if values.get("num_labels") == 0:  # which of a field means that nothing was said
            raise ConfigError(f"num_labels=0: must be an integer from 1 to {MOST_LABELS}")
        kept = {name: _kept(name, value) for name, value in values.items() if cls._is_inert(name)}
        named: dict[str, Any] = {"extra": {**values.get("extra", extra), **kept}} if kept else {}
        for name, value in values.items():
            own = cls.aliases.get(name, name)
            if name in kept or (name == "extra" and kept):
                continue
            why = cls.absent.get(name) or _of_generation(name)
            if why is not None:
                raise TypeError(f"{cls.__name__} takes no {name!r}: {why}")
            if own not in cls.field_names():
                raise TypeError(unknown("config", [name], (*cls.field_names(), *cls.aliases), cls.__name__))
            if own in named:
                raise TypeError(f"{name}={value!r} and {own}={named[own]!r} are the same field of {cls.__name__}")
            named[own] = value
        return named

    @classmethod
    def _is_inert(cls, name: str) -> bool:
        """Whether a key has no effect, here or at all."""
        inert = name.startswith("_") or name in INERT_KEYS or name in cls.inert_keys
        return inert and name not in ("label2id", "model_type", *cls.aliases, *cls.field_names())

    def _lacks(self, name: str) -> str:
        """What an `AttributeError` says of a name that stands for nothing."""
        kind, cure = type(self).__name__, _of_generation(name)
        if cure is not None:
            return f"{kind} has no {name!r}: {cure}"
        return no_attribute("config", name, (*self.field_names(), *self.aliases), kind)

    if not TYPE_CHECKING:  # a type checker would let every misspelled name pass

        def __getattr__(self, name: str) -> Any:
            if name in type(self).aliases:
                return getattr(self, type(self).aliases[name])
            kept = {**dict.fromkeys(self.absent), **READ_WHERE_ABSENT, **vars(self).get("extra", {})}
            if name not in kept:
                raise AttributeError(self._lacks(name))
            return None if name in self.absent else kept[name]


def named_architecture(values: Mapping[str, Any]) -> str:
    """The ``model_type`` in the contents of a ``config.json``; `ConfigError` where it names none."""
    model_type = values.get("model_type")
    if not isinstance(model_type, str) or not model_type:
        known = ", ".join(sorted(spec.name for spec in registry.architectures()))
        raise ConfigError(f"model_type={shown(model_type)}: must name an architecture; installed are {known}")
    return model_type


def _of_generation(name: str) -> str | None:
    """What to do with a key that says how to generate; ``None`` for others."""
    return hint("config", "config.num_beams = 4") if name in GENERATION_KEYS else None


def _kept(name: str, value: object) -> object:
    """The value of a key without effect, of the type of its default where it has one; JSON must be able to hold it."""
    default = READ_WHERE_ABSENT.get(name)
    if default is not None:
        return checked(value, type(default), name)
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{name}={shown(value)}: must be what JSON can hold") from None
    return value


def _by_number(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values with ``id2label`` in the place of ``label2id``; `ConfigError` where these contradict each other."""
    if "label2id" not in values:
        return values
    numbers: dict[str, int] = checked(values["label2id"], dict[str, int], "label2id")
    names = {numbers[label]: label for label in sorted(numbers, key=numbers.__getitem__)}
    if len(names) < len(numbers):
        raise ConfigError(f"label2id={shown(numbers)}: each class must have a number of its own")
    if checked(values.get("id2label", names), dict[int, str], "id2label") != names:
        raise ConfigError(f"label2id={shown(numbers)}: id2label has other names or numbers; give one of them")
    return {**{name: value for name, value in values.items() if name != "label2id"}, "id2label": names}


def _integers(value: object) -> Iterator[int]:
    """The integers in a field, keys of mappings included."""
    if isinstance(value, int):
        yield value
    elif isinstance(value, Mapping):
        yield from _integers(tuple(value))
        yield from _integers(tuple(value.values()))
    elif isinstance(value, tuple):
        for each in value:
            yield from _integers(each)
