"""The linear kernels of the core by the names that ``dtype=`` has for them, the best first; the last runs anywhere."""

import torch

from tfx_core.nn.linears.base import LinearKernel
from tfx_core.nn.linears.fbgemm import Half, Int8
from tfx_core.nn.linears.onednn import OneDnn
from tfx_core.nn.linears.plain import Constant, Rounded

float32: tuple[LinearKernel, ...] = (OneDnn(torch.float32), Constant(torch.float32))
bfloat16: tuple[LinearKernel, ...] = (OneDnn(torch.bfloat16), Half(), Constant(torch.bfloat16))
int8: tuple[LinearKernel, ...] = (Int8(), Rounded())
