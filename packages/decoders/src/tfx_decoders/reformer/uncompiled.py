"""What a compiled model computes as it stands; importing this imports the compiler, as slow as torch itself."""

from collections.abc import Callable

import torch
from torch import Tensor

from tfx_decoders.reformer import model

# which tokens are one text is read from the positions, also of a compiled model
texts_of: Callable[[Tensor], Tensor | None] = torch.compiler.disable(model.texts_of)  # type: ignore[no-untyped-call]
