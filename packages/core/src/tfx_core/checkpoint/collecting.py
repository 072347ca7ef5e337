"""From a module to the files of a checkpoint folder, as transformers reads them."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor, nn

from tfx_core.checkpoint.atomic import replacing_files, save_errors
from tfx_core.checkpoint.folder import written_json
from tfx_core.checkpoint.naming import tensors_of
from tfx_core.checkpoint.rules import Rename
from tfx_core.checkpoint.safetensors_format import write_safetensors
from tfx_core.checkpoint.table import WeightTable
from tfx_core.errors import CheckpointError, InputError

_FILE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
_OPENED_FIRST = (_FILE, _INDEX, "tokenizer_config.json", "tokenizer.json", "modules.json", "config.json")
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def collect_weights(
    module: nn.Module, table: WeightTable, *, head: str, ties: Collection[tuple[str, str]] = ()
) -> dict[str, Tensor]:
    """The module's parameters and buffers under the checkpoint's names, as views: nothing is copied.

    A tensor that the module has under several names is stored once, for two tied parameters under the name of the
    second of the pair in ``ties``, unless the rule of the first says ``always``. Raises `ValueError` that lists the
    parameters without a rule.
    """
    state = tensors_of(module)
    second = {name for name, to in ties if state[name] is state[to]}
    tensors: dict[str, Tensor] = {}
    covered: set[int] = set()
    for name, tensor in state.items():
        place = table.find(head, name)
        if place is None:
            continue
        _, rule, theirs = place
        if name in second and not (isinstance(rule, Rename) and rule.always):
            continue
        views = rule.views(tensor.detach())
        for first, view in zip(theirs, views, strict=True):
            for their in table.written_names(first):
                tensors[table.stored_name(head, their)] = view
        covered.add(id(tensor))
    bare = [name for name, tensor in state.items() if id(tensor) not in covered]
    if bare:
        raise ValueError(f"the weight table has no rule with head {head!r} for {', '.join(bare)}")
    for constant in table.constants(head):
        tensors[table.stored_name(head, constant.theirs)] = constant.make()
    return tensors


def save_tensors(folder: str | Path, tensors: Mapping[str, Tensor], max_shard_size: int | str = "5GB") -> None:
    """Write ``model.safetensors``, or shards of at most this size and their index; a reader sees them all or none.

    Sizes are in bytes or with a unit, ``"500MB"``, ``"2GiB"``; a larger tensor gets a shard of its own. Inside
    `write_folder` they become visible with the other files. Raises `CheckpointError`; the old files are whole then.
    """
    shards = _shards(tensors, _bytes(max_shard_size))
    with write_folder(folder) as staging:
        if len(shards) == 1:
            write_safetensors(staging / _FILE, tensors)
            return
        weight_map: dict[str, str] = {}
        for number, names in enumerate(shards, 1):
            file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
            write_safetensors(staging / file, {name: tensors[name] for name in names})
            weight_map.update(dict.fromkeys(names, file))
        total = sum(tensor.nbytes for tensor in tensors.values())
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        (staging / _INDEX).write_text(written_json(index), encoding="utf-8")


@contextmanager
def write_folder(folder: str | Path) -> Iterator[Path]:
    """A temporary empty folder; what the block writes there becomes part of the checkpoint ``folder`` when it ends.

    `tfx_core.checkpoint.replacing_files` says what is guaranteed; ``config.json`` is what a reader begins with. Weights
    of an earlier save that would be stale (other shards, an index) go, all other files stay. Raises `CheckpointError`
    when the disk is full or the folder cannot be written; the old files are whole then.
    """
    with save_errors(folder, CheckpointError), replacing_files(Path(folder), stale=_stale, last=_OPENED_FIRST) as new:
        yield new


def _stale(old: Collection[str], new: Collection[str]) -> list[str]:
    """Weights of an earlier save that readers would take for a part of this one."""
    if _FILE not in new and _INDEX not in new:
        return []
    return [name for name in old if name in (_FILE, _INDEX) or _SHARD.fullmatch(name)]


def _shards(tensors: Mapping[str, Tensor], limit: int) -> list[list[str]]:
    """Names of the tensors, in their order, split where the next one would go over the limit."""
    shards: list[list[str]] = [[]]
    size = 0
    for name, tensor in tensors.items():
        if shards[-1] and size + tensor.nbytes > limit:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += tensor.nbytes
    return shards


def _bytes(size: int | str) -> int:
    match = re.fullmatch(r"\s*(\d+)\s*([KMG]I?B)?\s*", str(size).upper())
    if match is None or int(match[1]) == 0:
        raise InputError(f"max_shard_size={size!r}: must be a number of bytes, or one with a unit: '500MB', '2GiB'")
    return int(match[1]) * _UNITS[match[2] or ""]
