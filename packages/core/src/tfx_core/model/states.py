"""State dicts: each tensor once, with the config beside them, so that a file of one is read as a checkpoint."""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tfx_core.checkpoint import (
    Folder,
    TensorFiles,
    as_in_files,
    entries_as_in_files,
    from_files,
    parse_json,
    read_tensors,
    tensors_of,
)
from tfx_core.errors import CheckpointError, InputError, in_one_line
from tfx_core.habits import hint

if TYPE_CHECKING:
    from tfx_core.model.architecture import Architecture
    from tfx_core.model.config import ModelConfig
    from tfx_core.model.model import Model

CONFIG = "_extra_state"
"""The name under which torch keeps what is no parameter."""

_LARGEST = 25_000_000
"""Bytes of it that are read, as of any other JSON."""

_OF_ADAPTERS = frozenset({"base_layer", "modules_to_save", "original_module"})
"""What PEFT calls the layers and heads that it wraps."""


def as_tensor(config: "ModelConfig") -> Tensor:
    """The contents of ``config.json`` as bytes ``(n,)``: what stores tensors alone stores them too."""
    return torch.frombuffer(bytearray(json.dumps(config.to_dict(), sort_keys=True).encode()), dtype=torch.uint8)


def check_whole(model: nn.Module) -> None:
    """Raise `InputError` where layers of an adapter stand in the place of the model's own."""
    of_adapters = [name for name in tensors_of(model) if _OF_ADAPTERS & {*name.split(".")}]
    if of_adapters:
        cure = hint("training", "wrapped.base_model.model.save_pretrained(folder)")
        raise InputError(f"{in_one_line(of_adapters[0], 200)} is the tensor of an adapter: {cure}")


def by_names_of_files(model: "Model") -> dict[str, Tensor]:
    """All that the reference's state dict of such a model holds, as views."""
    check_whole(model)
    table, head = model.weight_table, model.head_name
    tensors = {constant.theirs: constant.make() for constant in table.constants(head)}
    found = {table.stored_name(head, name): tensor for name, tensor in tensors.items()}
    for name, tensor in tensors_of(model).items():
        found.update(as_in_files(table, head, name, tensor.detach()))
    return found


def without_second_names(model: "Model", state: dict[str, Any], prefix: str) -> None:
    """Leave each tensor that the model has under several names under the first that files know."""
    for names in _names_of_each(model):
        table = model.weight_table
        kept = next((name for name in names if table.find(model.head_name, name)), names[0])
        for name in names:
            if name != kept:
                state.pop(prefix + name, None)


def with_all_names(model: "Model", state: dict[str, Any], prefix: str) -> None:
    """Make a state to be loaded what torch expects: our names, those of one tensor all there.

    It may have the names of a checkpoint's files, and of a tensor under several names any one.
    """
    if type(model).set_extra_state is not nn.Module.set_extra_state:
        state.setdefault(prefix + CONFIG, None)
    own = tensors_of(model)
    given = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    given.pop(CONFIG, None)
    if not own.keys() & given.keys() and all(isinstance(tensor, Tensor) for tensor in given.values()):
        for name in given:
            del state[prefix + name]
        given = from_files(model.weight_table, model.head_name, model, given)
        state.update({prefix + name: tensor for name, tensor in given.items()})
    for names in _names_of_each(model):
        held = next((given[name] for name in names if name in given), None)
        if held is not None:
            state.update({prefix + name: held for name in names if name not in given})


def config_of_state(folder: Folder) -> Mapping[str, Any] | None:
    """The contents of ``config.json`` that a saved state dict has; ``None`` where the folder holds none."""
    try:
        tensors = read_tensors(folder)
    except CheckpointError:
        return None
    return _config(tensors) if CONFIG in tensors else None


def files_of_state(tensors: TensorFiles, architecture: "Architecture[Any]") -> TensorFiles:
    """The tensors of a checkpoint; where they are a saved state dict, by the names of its files."""
    if CONFIG not in tensors:
        return tensors
    config = architecture.config.from_dict(_config(tensors), where=f"{tensors.label}: {CONFIG}")
    stored = (architecture.head_of(name, config) for name in config.architectures)
    head = config.tfx_head or next(filter(None, stored), "backbone")
    entries = {name: entry for name, entry in tensors.items() if name != CONFIG}
    table = architecture.weight_table(config, head).of_parts()
    return TensorFiles(tensors.label, entries_as_in_files(table, head, entries))


def _config(tensors: TensorFiles) -> Mapping[str, Any]:
    entry = tensors[CONFIG]
    if entry.dtype != torch.uint8 or entry.nbytes != entry.memory or entry.nbytes > _LARGEST:
        raise CheckpointError(
            f"{tensors.label}: {CONFIG} is {entry.nbytes} bytes of {entry.dtype}; must be those of a config.json"
        )
    return parse_json(entry.load().numpy().tobytes(), f"{tensors.label}: {CONFIG}")


def _names_of_each(module: nn.Module) -> Iterable[list[str]]:
    names: dict[int, list[str]] = {}
    for name, tensor in tensors_of(module).items():
        names.setdefault(id(tensor), []).append(name)
    return [each for each in names.values() if len(each) > 1]
