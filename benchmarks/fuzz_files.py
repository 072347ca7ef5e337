"""What the fuzz run damages, but for the files of tokenizers: weights, configs, sentence-transformers folders, indexes.

``READERS`` gives of each reader how good files are made in a folder, and how they are read and used once. ``DAMAGED``
says which of the files are damaged, where that is not all; ``PREPARED`` what is done to a folder afterwards.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

sys.path.append(str(Path(__file__).parents[1]))

from tests.cases import case_of
from tfx_core import ArchitectureSpec, load_model, new_model
from tfx_core.checkpoint import open_folder, read_tensors, save_tensors
from tfx_core.errors import InputError
from tfx_core.plugins import registry

Make = Callable[[Path], None]
Read = Callable[[Path], object]


def _tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(6, 5, generator=generator)
    return {"a.weight": base, "a.bias": base[1], "b": base.t(), "c": torch.arange(3), "d": base[:2].bfloat16()}


def _read_tensors(folder: Path) -> object:
    return [entry.load() for entry in read_tensors(open_folder(folder)).values()]


def _make_torch(folder: Path, **form: Any) -> None:
    torch.save(_tensors(), folder / "pytorch_model.bin", **form)


def _make_safetensors(folder: Path, *, shard_size: int = 10**9) -> None:
    save_tensors(folder, {name: tensor.contiguous() for name, tensor in _tensors().items()}, max_shard_size=shard_size)


# models

_HEADS = ("causal-lm", "conditional-generation", "masked-lm", "backbone")


def _make_model(folder: Path, *, model_type: str) -> None:
    spec = registry.find(ArchitectureSpec, model_type)
    head = next(each for each in _HEADS if each in (*spec.heads, "backbone"))
    torch.manual_seed(0)
    new_model(model_type, head=head, **case_of(model_type).tiny).save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps(_GENERATION))


def _make_state(folder: Path, *, model_type: str) -> None:
    """What a training loop saves: tensors with the config among them, and no other file."""
    model = new_model(model_type, seed=0, **case_of(model_type).tiny)
    save_file(model.state_dict(), folder / "model.safetensors")


_GENERATION = {
    "max_length": 12, "max_new_tokens": 3, "num_beams": 2, "num_return_sequences": 2, "temperature": 0.9, "top_k": 3,
    "top_p": 0.9, "repetition_penalty": 1.1, "length_penalty": 0.9, "no_repeat_ngram_size": 2, "early_stopping": True,
    "min_length": 1, "eos_token_id": [1, 2], "pad_token_id": 0, "bos_token_id": 3, "bad_words_ids": [[4, 5]],
    "forced_eos_token_id": 1, "suppress_tokens": [6], "decoder_start_token_id": 0, "do_sample": False,
}  # fmt: skip


def _read_model(folder: Path) -> object:
    model = load_model(folder)
    model.generation_options  # noqa: B018  # what the files say of generation is read now
    ids = torch.tensor([[5, 6, 7, 1]])
    try:
        return model.generate(ids)
    except NotImplementedError:
        return model(ids)
    except InputError as error:  # the files make a model; this call asks it for what it does not do
        return error


# sentence-transformers


def _make_sentence(folder: Path) -> None:
    kinds = {"0_Transformer": "Transformer", "1_Pooling": "Pooling", "2_Dense": "Dense", "3_LayerNorm": "LayerNorm",
             "4_Normalize": "Normalize"}  # fmt: skip
    steps = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate(kinds.items())
    ]
    dense = {
        "in_features": 5,
        "out_features": 6,
        "bias": True,
        "activation_function": "torch.nn.modules.linear.Identity",
    }
    for name, value in {
        "modules.json": steps,
        "config_sentence_transformers.json": {"prompts": {"query": "q: "}, "default_prompt_name": "query"},
        "0_Transformer/sentence_bert_config.json": {"max_seq_length": 20, "do_lower_case": False},
        "1_Pooling/config.json": {
            "word_embedding_dimension": 5,
            "pooling_mode_mean_tokens": True,
            "include_prompt": True,
        },
        "2_Dense/config.json": dense,
        "3_LayerNorm/config.json": {"dimension": 6},
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(value))
    torch.save({"linear.weight": torch.ones(6, 5), "linear.bias": torch.ones(6)}, folder / "2_Dense/pytorch_model.bin")
    save_tensors(folder / "3_LayerNorm", {"norm.weight": torch.ones(6), "norm.bias": torch.ones(6)})


def _read_sentence(folder: Path) -> object:
    # what load_encoder reads of such a folder, without the model in it
    recipe = import_module("tfx_core.embedding.sentence_folder").read_sentence_folder(open_folder(folder))
    recipe.check_widths(5)
    x = torch.ones(2, 5 * len(recipe.pooling))
    for stage in recipe.stages:
        x = stage.module(x)
    return x


# indexes


def _make_index(folder: Path) -> None:
    from tfx_core.embedding import Passage
    from tfx_retrieval import write_index

    passages = [Passage(f"text {number} “ß”", f"topic {number % 3}", str(number)) for number in range(20)]
    vectors = np.random.default_rng(0).standard_normal((20, 8)).astype(np.float32)
    write_index([(passages, vectors)], folder / "index", dimension=8)
    for path in (folder / "index").iterdir():
        path.rename(folder / path.name)
    (folder / "index").rmdir()


def _read_index(folder: Path) -> object:
    from tfx_retrieval import open_index

    index = open_index(folder)
    scores, rows = index.search_vectors(np.ones((2, 8), np.float32), 20)
    if not np.isfinite(scores).all() or (rows < 0).any():
        raise AssertionError("rows vanish")
    return index.passages(rows[0])


def _seal(folder: Path) -> None:
    """Write the present sizes and checksums into the manifest, as who damages an index on purpose would."""
    from tfx_retrieval.manifest import MANIFEST, record_files

    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"] = {name: asdict(record) for name, record in record_files(folder).items()}
    (folder / MANIFEST).write_text(json.dumps(manifest))


READERS: dict[str, tuple[Make, Read]] = {
    "safetensors": (_make_safetensors, _read_tensors),
    "safetensors in shards": (partial(_make_safetensors, shard_size=100), _read_tensors),
    "torch archive": (_make_torch, _read_tensors),
    "torch legacy": (partial(_make_torch, _use_new_zipfile_serialization=False), _read_tensors),
    "sentence-transformers": (_make_sentence, _read_sentence),
}
DAMAGED: dict[str, tuple[str, ...]] = {"safetensors in shards": ("*.index.json",)}
PREPARED: dict[str, Callable[[Path], None]] = {}

for _name in sorted({spec.name for spec in registry.architectures()}):
    for _file in ("config.json", "generation_config.json"):
        READERS[f"{_file} of {_name}"] = (partial(_make_model, model_type=_name), _read_model)
        DAMAGED[f"{_file} of {_name}"] = (_file,)
    READERS[f"state dict of {_name}"] = (partial(_make_state, model_type=_name), _read_model)

if find_spec("tfx_retrieval") is not None:
    READERS["index"] = (_make_index, _read_index)
    READERS["index, sealed again"] = (_make_index, _read_index)
    DAMAGED["index, sealed again"] = ("*.npy", "*.jsonl")
    PREPARED["index, sealed again"] = _seal
