"""The result of a model call."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

from torch.utils._pytree import Context, KeyEntry, MappingKey, register_pytree_node

from tfx_core.habits import hint

if TYPE_CHECKING:
    from torch import Tensor

    from tfx_core.nn.cache import DecoderCache
    from tfx_core.nn.memory import Memory

_PLACES = (
    *("loss", "mc_loss", "losses", "logits", "mc_logits", "prediction_logits", "seq_relationship_logits"),
    *("start_logits", "end_logits", "start_top_log_probs", "start_top_index", "end_top_log_probs", "end_top_index"),
    *("cls_logits", "last_hidden_state", "pooler_output", "past_key_values", "mems"),
    *("hidden_states", "attentions", "global_attentions"),
    *("decoder_hidden_states", "decoder_attentions", "cross_attentions"),
    *("encoder_last_hidden_state", "encoder_hidden_states", "encoder_attentions"),
)

_OF_BACKBONE = ("last_hidden_state", "pooler_output")

_ASKED_WITH = {
    "hidden_states": "output_hidden_states=True",
    "attentions": "output_attentions=True",
    "global_attentions": "output_attentions=True",
    "cross_attentions": "output_attentions=True",
    "past_key_values": "use_cache=True",
    "mems": "use_mems=True",
}


class ModelOutput(dict[str, Any]):
    """Results by name, as attributes or items, and by place; an architecture or head adds the names that it produces.

    Only what a call produced is there: another name is an `AttributeError` that says what there is and how to ask.
    ``loss`` alone is always readable, and ``None`` where the call had no labels. Places are those of the reference: the
    loss, what the head predicts, caches, what is reported; ``output[0]``, ``output[:2]``, `to_tuple`. Below the results
    of a head the backbone's states can be read as attributes; they are no items. Sizes: ``B`` batch, ``S`` sequence,
    ``D`` hidden, ``H`` heads, ``V`` vocabulary, ``C`` classes.

    A dictionary, which data-parallel training looks into, that is read-only, and a pytree.
    """

    # slots, for neither is an item
    __slots__ = ("passed_on", "token_mask")

    places: ClassVar[tuple[str, ...]] = _PLACES
    """The order of results; those that are not named follow the predictions."""

    passed_on: Mapping[str, Any]
    """What the head read, attributes but no items: the last hidden state and what was pooled of it."""
    token_mask: "Tensor | None"
    """Boolean ``(B, S)``, which tokens of the last hidden state are real, ``None`` where all are; a backbone tells its
    head with it what is padding. No result: neither items nor names have it."""
    loss: "Tensor | None"
    """Scalar."""
    logits: "Tensor"
    """``(B, S, V)`` of a language model, ``(B, C)`` of a classifier, ``(B, S, C)`` of a token classifier."""
    last_hidden_state: "Tensor"
    """``(B, S, D)``."""
    pooler_output: "Tensor"
    """``(B, D)``."""
    hidden_states: "tuple[Tensor, ...]"
    """``(B, S, D)`` each: the embeddings, then each layer's output, the last one after a final norm if any."""
    attentions: "tuple[Tensor, ...]"
    """Attention probabilities ``(B, H, S, S)`` of each layer."""
    cross_attentions: "tuple[Tensor, ...]"
    """``(B, H, S, S_source)`` of each layer."""
    past_key_values: "DecoderCache"
    """Pass it to the next call with only the new tokens."""
    mems: "Memory"
    """Of a model with segment recurrence; pass it to the next call with only the next segment."""
    start_logits: "Tensor"
    """``(B, S)``."""
    end_logits: "Tensor"
    """``(B, S)``."""
    prediction_logits: "Tensor"
    """``(B, S, V)``."""
    seq_relationship_logits: "Tensor"
    """``(B, 2)``."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        _register(cls)

    def __init__(
        self,
        results: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        /,
        *,
        token_mask: "Tensor | None" = None,
        passed_on: Any = None,
        **values: Any,
    ) -> None:
        given = {**dict(results), **values}
        super().__init__({name: given[name] for name in sorted(given, key=self._place) if given[name] is not None})
        object.__setattr__(self, "token_mask", token_mask)
        object.__setattr__(self, "passed_on", passed_on or {})

    def updated(self, **values: Any) -> Self:
        """A copy with more values, or other ones."""
        return type(self)(self, **{"token_mask": self.token_mask, "passed_on": self.passed_on, **values})

    def of_head(self, read: "ModelOutput") -> Self:
        """The same as what a head gives that ``read`` states: these are attributes and no items any more."""
        below = {name: self[name] for name in _OF_BACKBONE if name in self and self[name] is read.get(name)}
        passed_on = {**self.passed_on, **below}
        return self.updated(**dict.fromkeys(below), passed_on=passed_on)

    def to_tuple(self) -> tuple[Any, ...]:
        """The results in their places."""
        return tuple(self.values())

    def __reduce__(self) -> Any:
        return _remade, (type(self), dict(self), self.token_mask, self.passed_on)

    def __getattr__(self, name: str) -> Any:
        # reached only for what is neither a method nor a slot
        if name in self:
            return self[name]
        if name == "loss":
            return None
        if name.startswith("__") or name in type(self).__slots__:
            raise AttributeError(name)
        if name in self.passed_on:
            return self.passed_on[name]
        hint = f"; ask for it with {_ASKED_WITH[name]}" if name in _ASKED_WITH else ""
        raise AttributeError(f"this output has no {name!r}, only {', '.join(self)}{hint}")

    def _place(self, name: str) -> float:
        places = self.places
        if name in places:
            return places.index(name)
        return places.index("last_hidden_state") - 0.5 if "last_hidden_state" in places else len(places)

    def __getitem__(self, name: str | int | slice) -> Any:
        if isinstance(name, int | slice):
            return self.to_tuple()[name]
        try:
            return super().__getitem__(name)
        except KeyError:
            raise KeyError(f"{name!r}; this output has {', '.join(self)}") from None

    def __iter__(self) -> Iterator[str]:
        return map(_ResultName, super().__iter__())

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(_read_only(name))

    def __setitem__(self, name: str, value: object) -> NoReturn:
        raise TypeError(_read_only(name))

    def __delitem__(self, name: str) -> NoReturn:
        raise TypeError(_read_only(name))

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError(_read_only("name"))

    if not TYPE_CHECKING:  # a type checker would compare each with the dictionary's own
        clear = pop = popitem = setdefault = update = __ior__ = _refuse

    def __repr__(self) -> str:
        shapes = (f"{name}={_shape(value)}" for name, value in self.items())
        return f"{type(self).__name__}({', '.join(shapes)})"


class _ResultName(str):
    """A name that iterating gives; where somebody unpacked names for values, its use says so."""

    __slots__ = ()

    def __getattr__(self, name: str) -> NoReturn:
        cure = hint("output", "loss, logits = out")
        raise AttributeError(f"{str(self)!r} is the name of a result and has no {name!r}: {cure}")


def _remade(kind: type[ModelOutput], results: Any, token_mask: Any, passed_on: Any) -> ModelOutput:
    return kind(results, token_mask=token_mask, passed_on=passed_on)


def _read_only(name: str) -> str:
    return f"{name} of an output: {hint('output', 'out.loss = loss')}"


def _shape(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({len(value)} × {_shape(value[0])})" if value else "()"
    return str(tuple(value.shape)) if hasattr(value, "shape") else type(value).__name__


def _flatten(output: ModelOutput) -> tuple[list[Any], Context]:
    return list(output.values()), tuple(map(str, output.keys()))


def _flatten_with_keys(output: ModelOutput) -> tuple[list[tuple[KeyEntry, Any]], Context]:
    values, names = _flatten(output)
    return [(MappingKey(name), value) for name, value in zip(names, values, strict=True)], names


def _register(kind: type[ModelOutput]) -> None:
    """Let torch see the tensors in outputs of this class: `torch.export`, `torch.func` and what hooks them."""
    register_pytree_node(
        kind,
        _flatten,
        lambda values, names: kind(zip(names, values, strict=True)),
        serialized_type_name=f"{kind.__module__}.{kind.__name__}",
        flatten_with_keys_fn=_flatten_with_keys,
    )


_register(ModelOutput)
