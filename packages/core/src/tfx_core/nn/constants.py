"""Numbers that compiled code holds; importing this imports the compiler, which takes as long as torch itself."""

from collections.abc import Callable

import torch
from torch import Tensor

from tfx_core.nn import hashed

# a compiler cannot make generators, and has no need to: the numbers are the same each time
normal_numbers: Callable[[tuple[int, ...], int, torch.dtype], Tensor] = torch.compiler.assume_constant_result(  # type: ignore[no-untyped-call]
    hashed.normal_numbers
)
