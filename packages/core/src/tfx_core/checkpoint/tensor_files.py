"""All tensors of a checkpoint folder, by name, out of whichever files hold them."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tfx_core.checkpoint.folder import Folder
from tfx_core.checkpoint.safetensors_format import read_safetensors
from tfx_core.checkpoint.torch_format import read_torch_file
from tfx_core.checkpoint.weight_file import TensorEntry
from tfx_core.errors import CheckpointError, shown

_Reader = Callable[[Path, str], dict[str, TensorEntry]]
_FORMATS: tuple[tuple[str, _Reader], ...] = (
    ("model.safetensors", read_safetensors),
    ("pytorch_model.bin", read_torch_file),
)


class TensorFiles(Mapping[str, TensorEntry]):
    """The tensors of a checkpoint by the names they have there; types and shapes are known, no values were read."""

    def __init__(self, label: str, entries: Mapping[str, TensorEntry]) -> None:
        self.label = label
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> TensorEntry:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def read_tensors(folder: Folder, variant: str | None = None) -> TensorFiles:
    """The tensors of ``model.safetensors`` or its shards, else of ``pytorch_model.bin`` or its shards.

    A ``variant`` stands in the names of files before what they end with: ``model.fp16.safetensors``.
    Nothing is executed, whatever the files hold. Raises `CheckpointError` that names file, tensor and cure when no file
    is there or one is damaged, hostile or does not fit its index.
    """
    looked_for = []
    mark = "" if variant is None else f".{variant}"
    for plain, reader in _FORMATS:
        stem, _, kind = plain.rpartition(".")
        name, index_name = f"{stem}{mark}.{kind}", f"{plain}.index{mark}.json"
        path = folder.path(name)
        if path is not None:
            return TensorFiles(folder.label, reader(path, f"{folder.label}/{name}"))
        index = folder.json(index_name)
        if index is not None:
            return TensorFiles(folder.label, _read_shards(folder, index_name, index, reader))
        looked_for += [name, index_name]
    raise CheckpointError(f"{folder.label}: holds no weights; looked for {', '.join(looked_for)}")


def read_tensor_file(path: Path) -> TensorFiles:
    """The tensors of one file, whatever its name: ``.safetensors``, else what ``torch.save`` writes.

    Raises `CheckpointError` as `read_tensors` does.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file")
    reader = read_safetensors if path.suffix == ".safetensors" else read_torch_file
    return TensorFiles(str(path), reader(path, str(path)))


def _read_shards(
    folder: Folder, index_name: str, index: Mapping[str, object], reader: _Reader
) -> dict[str, TensorEntry]:
    """The tensors of the files that an index names; index and files must agree on which tensor is where."""
    where = f"{folder.label}/{index_name}"
    weight_map = index.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map or not all(isinstance(s, str) for s in weight_map.values()):
        raise CheckpointError(f"{where}: weight_map must be an object that gives the file of each tensor")
    listed: dict[str, set[str]] = {}
    for name, shard in weight_map.items():
        listed.setdefault(shard, set()).add(name)
    entries: dict[str, TensorEntry] = {}
    for shard, names in sorted(listed.items()):
        try:
            path = folder.path(shard)
        except CheckpointError as error:  # a name that leads out of the folder
            raise CheckpointError(f"{where}: weight_map: {error}") from error
        if path is None:
            raise CheckpointError(
                f"{where}: names the file {shown(shard)}, which is missing; download or copy it as well"
            )
        found = reader(path, f"{folder.label}/{shard}")
        for name in sorted(names ^ found.keys()):
            fault = "lacks it" if name in names else "holds it, unlisted"
            raise CheckpointError(
                f"{where}: {shown(name)}: {shown(shard)} {fault}; index and file are of different saves"
            )
        entries.update(found)
    return entries
