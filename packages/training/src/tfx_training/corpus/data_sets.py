"""Rows of the library `datasets` (the extra ``datasets``): what it saved, its files, and names on its hub."""

from collections.abc import Iterator, Mapping
from typing import Any

from tfx_core.errors import InputError
from tfx_training.corpus.sources import Source


def rows_of(source: Source, split: str) -> Iterator[Mapping[str, Any]]:
    """The rows of a data set, streamed; raises `InputError` where the library or the split is missing."""
    try:
        import datasets
    except ImportError as error:
        raise InputError(f'{source.name}: needs the library datasets: pip install "tfx-training[datasets]"') from error
    try:
        found = _loaded(datasets, source)
    except Exception as error:  # of many classes, according to the kind of file
        raise InputError(f"{source.name}: cannot be read by datasets: {error}") from error
    if isinstance(found, dict):
        if split not in found:
            raise InputError(f"{source.name}: has no split {split!r}; it has {', '.join(map(str, found))}: split=")
        found = found[split]
    yield from found


def _loaded(datasets: Any, source: Source) -> Any:
    if source.kind == "saved data set":
        return datasets.load_from_disk(source.name)
    if source.kind == "hub":
        name, _, config = source.name.partition(":")
        return datasets.load_dataset(name, config or None, streaming=True)
    if source.files[0].suffix == ".arrow":
        return datasets.Dataset.from_file(source.name)
    return datasets.load_dataset("parquet", data_files=source.name, split="train", streaming=True)
