"""Models in shards over several processes (FSDP2): what accelerate is told of ours.

Each layer is a group of its own, gathered while it computes. All else, the token table and the output layer that is
tied to it among it, stays in the group of the whole, for torch refuses a parameter that lies in two groups.
"""

from collections.abc import Mapping

from accelerate.utils import FullyShardedDataParallelPlugin
from torch import Tensor, nn
from torch.distributed.fsdp.wrap import transformer_auto_wrap_policy
from torch.distributed.tensor import DTensor

from tfx_core import Model
from tfx_core.errors import InputError
from tfx_core.nn import Stack


def layer_classes(module: nn.Module) -> list[str]:
    """The names of the classes of layers that a stack calls one after another.

    A stack that runs them in another way, a reversible one, has none: what gathers a layer would not hear of it.
    """
    stacks = [each for each in module.modules() if isinstance(each, Stack) and type(each).forward is Stack.forward]
    return sorted({type(layer).__name__ for stack in stacks for layer in stack.layers})


def shard_layers(plugin: FullyShardedDataParallelPlugin, module: nn.Module) -> None:
    """Let a plugin of accelerate, as ``accelerate launch --use_fsdp`` makes one, shard the layers of a module.

    Call it before `accelerate.Accelerator.prepare`. Raises `InputError` for the first version of FSDP.
    """
    if plugin.fsdp_version != 2:
        raise InputError("fsdp_version=1: only the second version can have tied parameters; say --fsdp_version 2")
    plugin.auto_wrap_policy = transformer_auto_wrap_policy
    plugin.transformer_cls_names_to_wrap = layer_classes(module)
    # it moves modules to the meta device, where what is no parameter is lost
    plugin.cpu_ram_efficient_loading = False


def whole_tensor(tensor: Tensor) -> Tensor:
    """All of a tensor that may be in shards; every process asks for it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def whole_models(models: Mapping[str, Model]) -> Mapping[str, Model]:
    """Copies on the CPU of models whose parameters are in shards, tied as they are; every process asks for them."""
    seen: dict[int, nn.Parameter] = {}
    copies = {role: model.unfilled(model.config) for role, model in models.items()}
    for role, model in models.items():
        for name, parameter in model.named_parameters(remove_duplicate=False):
            if id(parameter) not in seen:
                seen[id(parameter)] = nn.Parameter(whole_tensor(parameter.detach()).cpu())
            _put(copies[role], name, seen[id(parameter)])
        for name, buffer in model.named_buffers():
            _put(copies[role], name, buffer.detach().cpu())
    return copies


def _put(module: nn.Module, name: str, tensor: Tensor) -> None:
    owner, _, attribute = name.rpartition(".")
    setattr(module.get_submodule(owner), attribute, tensor)
