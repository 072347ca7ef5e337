"""The result of a model call."""

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from functools import partial
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from torch import Tensor

    from tfx_core.nn.cache import DecoderCache
    from tfx_core.nn.memory import Memory

_ASKED_WITH = {
    "hidden_states": "output_hidden_states=True",
    "attentions": "output_attentions=True",
    "cross_attentions": "output_attentions=True",
    "past_key_values": "use_cache=True",
    "mems": "use_mems=True",
}


class ModelOutput:
    """Results by name, as attributes or items; an architecture or head adds the names that it produces.

    Only what a call produced is there: another name is an `AttributeError` that says what there is and how to ask.
    ``loss`` alone is always readable, and ``None`` where the call had no labels. Sizes: ``B`` batch, ``S`` sequence,
    ``D`` hidden, ``H`` heads, ``V`` vocabulary, ``C`` classes.
    """

    # a slot, for the results are what the dictionary has
    __slots__ = ("__dict__", "token_mask")

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

    def __init__(self, *, token_mask: "Tensor | None" = None, **values: Any) -> None:
        object.__setattr__(self, "token_mask", token_mask)
        self.__dict__.update({name: value for name, value in values.items() if value is not None})

    def updated(self, **values: Any) -> Self:
        """A copy with more values, or other ones."""
        return type(self)(**{"token_mask": self.token_mask, **self.__dict__, **values})

    def __reduce__(self) -> Any:
        return partial(type(self), token_mask=self.token_mask, **self.__dict__), ()

    def __getattr__(self, name: str) -> Any:
        # reached only for names that the instance lacks
        if name == "loss":
            return None
        if name.startswith("__"):
            raise AttributeError(name)
        hint = f"; ask for it with {_ASKED_WITH[name]}" if name in _ASKED_WITH else ""
        raise AttributeError(f"this output has no {name!r}, only {', '.join(self.__dict__)}{hint}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"outputs are read-only; use updated({name}=…) for a copy")

    def __getitem__(self, name: str) -> Any:
        try:
            return self.__dict__[name]
        except KeyError:
            raise KeyError(f"{name!r}; this output has {', '.join(self.__dict__)}") from None

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __len__(self) -> int:
        return len(self.__dict__)

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a name, or ``default``."""
        return self.__dict__.get(name, default)

    def keys(self) -> KeysView[str]:
        """Names that the call produced."""
        return self.__dict__.keys()

    def values(self) -> ValuesView[Any]:
        """Values that the call produced."""
        return self.__dict__.values()

    def items(self) -> ItemsView[str, Any]:
        """Names and values that the call produced."""
        return self.__dict__.items()

    def __repr__(self) -> str:
        shapes = (f"{name}={_shape(value)}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({', '.join(shapes)})"


def _shape(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({len(value)} × {_shape(value[0])})" if value else "()"
    return str(tuple(value.shape)) if hasattr(value, "shape") else type(value).__name__
