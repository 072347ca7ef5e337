"""Building modules without values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_FILLS = frozenset(("uniform_", "normal_", "zero_", "fill_"))


@contextmanager
def unfilled_modules() -> Iterator[None]:
    """Modules built in the block have parameters without values, on the meta device, for `load_weights` to fill.

    It also skips the filling itself, which has no effect there but makes torch import 800 modules (70 MB).
    """
    with torch.device("meta"), _SkipFilling():
        yield


class _SkipFilling(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        filled = kwargs["tensor"] if "tensor" in kwargs else args[0] if args else None
        if isinstance(filled, Tensor) and filled.is_meta and _fills(func):
            return filled
        return func(*args, **kwargs)


def _fills(function: Callable[..., Any]) -> bool:
    return getattr(function, "__module__", None) == "torch.nn.init" or getattr(function, "__name__", None) in _FILLS
