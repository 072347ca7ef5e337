"""Configs of architectures that are built on another one's: its keys, and a few of their own, in one file."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, make_dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast, get_type_hints

from tfx_core.errors import UnknownNameError, shown
from tfx_core.model.config import ModelConfig

if TYPE_CHECKING:
    from tfx_core.model.architecture import Architecture

E = TypeVar("E", bound="ExtendedConfig")

_MERGED = ("aliases", "absent", "neutral_values", "settable", "inert_keys")
_made: dict[tuple[type, str], type] = {}


@dataclass(kw_only=True)
class ExtendedConfig(ModelConfig):
    """The keys of an architecture that reads text, whichever ``text_model_type`` names, and those of a subclass.

    A subclass declares its own keys and, as ``default_text_model_type``, what a file that names none is built on; what
    an architecture has as its config is `extended` of it. An instance is a config of both: the text's architecture
    builds its backbone of it.
    """

    default_text_model_type: ClassVar[str] = ""
    own: ClassVar[type["ExtendedConfig"]]
    """The subclass without the keys of another architecture."""

    text_model_type: str = ""
    """The architecture whose keys it has besides."""

    @property
    def text_architecture(self) -> "Architecture[Any]":
        """What ``text_model_type`` stands for."""
        from tfx_core.model.loading import load_architecture

        return load_architecture(self.text_model_type)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str = "config") -> Self:
        """`ModelConfig.from_dict`, by the keys of the architecture that the file names."""
        try:
            kind = cls._over(values)
        except UnknownNameError as error:
            given = f"text_model_type={shown(values['text_model_type'])}: {error}"
            raise UnknownNameError(f"{where}: {given}" if where else given) from None
        return super().from_dict(values, where=where) if kind is cls else kind.from_dict(values, where=where)

    @classmethod
    def of(cls, **values: Any) -> Self:
        """`ModelConfig.of`, by the keys of the architecture that ``text_model_type`` names."""
        kind = cls._over(values)
        return super().of(**values) if kind is cls else kind.of(**values)

    def to_dict(self) -> dict[str, Any]:
        """The contents of ``config.json``, with ``text_model_type`` where it is not what a file without it means."""
        values = super().to_dict()
        if self.text_model_type == self.default_text_model_type:
            del values["text_model_type"]
        return values

    def __reduce_ex__(self, protocol: Any) -> Any:
        # its class is made for it, so that it cannot be found by its name
        return _blank, (self.own, self.text_model_type), dict(vars(self))

    @classmethod
    def _over(cls, values: Mapping[str, Any]) -> type[Self]:
        name = values.get("text_model_type") or cls.default_text_model_type
        own: Any = cls.own
        return cast(type[Self], extended(own, str(name)))


def extended(own: type[E], model_type: str = "") -> type[E]:
    """``own`` with the keys of this architecture, by default its ``default_text_model_type``; one class for each.

    Raises `UnknownNameError` where nothing gives the architecture, and for one whose config is of this kind as well.
    """
    from tfx_core.model.loading import load_architecture

    name = model_type or own.default_text_model_type
    base = load_architecture(name).config
    if issubclass(base, ExtendedConfig):
        raise UnknownNameError(f"{shown(name)} is built on another text model itself; name that one")
    made = _made.get((own, name))
    if made is None or not issubclass(made, base):  # another plugin's by now
        made = _made[own, name] = _joined(own, base, name)
    return made


def _joined(own: type[ExtendedConfig], base: type[ModelConfig], name: str) -> type[Any]:
    # those that every config has are fields of both, and the defaults are the text's
    kept = {each for kind in own.__mro__ if issubclass(kind, ExtendedConfig) for each in vars(kind)["__annotations__"]}
    hints = get_type_hints(base, include_extras=True)
    theirs: list[Any] = [
        (each.name, hints[each.name], field(default=each.default, default_factory=each.default_factory))
        for each in fields(base)
        if each.name not in kept
    ]
    merged = {each: _merged(getattr(base, each), getattr(own, each)) for each in _MERGED}
    members = {"own": own, "__module__": own.__module__, "__doc__": own.__doc__, **merged}
    named = ("text_model_type", str, field(default=name))
    return make_dataclass(own.__name__, [*theirs, named], bases=(own, base), namespace=members, kw_only=True)


def _merged(theirs: Any, own: Any) -> Any:
    return {**theirs, **own} if isinstance(theirs, Mapping) else frozenset[Any]({*theirs, *own})


def _blank(own: type[ExtendedConfig], model_type: str) -> ExtendedConfig:
    kind = extended(own, model_type)
    return kind.__new__(kind)
