"""Types of packed weights that plugins provide."""

import pytest
import torch
from torch import Tensor

import tfx_core
from tfx_core import hookimpl
from tfx_core.errors import PluginError
from tfx_core.model.linears import kernel_named
from tfx_core.nn.linears.plain import Constant, ConstantLinear
from tfx_core.plugins import LinearSpec


class WithoutTables:
    """A kernel that does not say what tables are kept in."""

    dtype = torch.float32

    def missing(self) -> None:
        """Nothing."""

    def pack(self, weight: Tensor, bias: Tensor | None) -> ConstantLinear:
        return ConstantLinear(weight, bias)


ONE, WHOLE = WithoutTables(), (Constant(torch.float32),)
SOME = (*WHOLE, ONE)


class Plugin:
    @hookimpl
    def tfx_linears(self) -> list[LinearSpec]:
        return [LinearSpec(name, target=f"{__name__}:{name.upper()}") for name in ("one", "some", "whole")]


@pytest.mark.parametrize("name", ["one", "some"])
def test_what_a_kernel_lacks_is_named(name: str) -> None:
    with tfx_core.register(Plugin(), name="tfx-kernels"):
        assert kernel_named("whole") == WHOLE[0]
        with pytest.raises(PluginError, match=r"no tfx_core\.nn\.LinearKernel, nor some: table_dtype missing"):
            kernel_named(name)
