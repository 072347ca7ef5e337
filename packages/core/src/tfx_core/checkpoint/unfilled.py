"""Building modules without values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from tfx_core.errors import ConfigError

_FILLS = frozenset(("uniform_", "normal_", "zero_", "fill_"))


@contextmanager
def unfilled_modules(most: int | None = None) -> Iterator[None]:
    """Modules built in the block have parameters without values, on the meta device, for `load_weights` to fill.

    It also skips the filling itself, which has no effect there but makes torch import 800 modules (70 MB). Raises
    `ConfigError` as soon as the block has made more than ``most`` tensors.
    """
    with torch.device("meta"), _Unfilled(most):
        yield


class _Unfilled(TorchFunctionMode):
    def __init__(self, most: int | None) -> None:
        super().__init__()
        self.most = most
        self.made = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        given = kwargs["tensor"] if "tensor" in kwargs else args[0] if args else None
        if isinstance(given, Tensor):
            return given if given.is_meta and _fills(func) else func(*args, **kwargs)
        result = func(*args, **kwargs)
        self.made += isinstance(result, Tensor)
        if self.most is not None and self.made > self.most:
            raise ConfigError(f"asks for more than {self.most} tensors; correct its numbers of layers and other parts")
        return result


def _fills(function: Callable[..., Any]) -> bool:
    return getattr(function, "__module__", None) == "torch.nn.init" or getattr(function, "__name__", None) in _FILLS
