"""A Longformer out of a model with full attention, as its authors make one (Beltagy et al. 2020, §5)."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tfx_core.errors import InputError, shown
from tfx_core.fields import Size, checked
from tfx_core.model import Model, load_model, load_tokenizer, new_model
from tfx_encoders.longformer.config import LongformerConfig
from tfx_encoders.longformer.heads import HEADS

SOURCES = ("roberta", "xlm-roberta", "bert")
"""Architectures whose layers are a Longformer's but for the projections of global tokens."""

_OWN = frozenset({"model_type", "architectures", "tfx_head", "max_position_embeddings", "sep_token_id", "torch_dtype"})
"""Keys of a config that are not those of the source."""

_POOLED = {"backbone.pooler.project.": "head.summary.project.", "head.classifier.1.": "head.classifier."}
"""Where a classifier of pooled states has the layers of one that pools them itself."""

_TABLE = "backbone.embeddings.position.weight"
_GLOBAL = ".global_projections."


def to_longformer(
    source: Model,
    *,
    max_positions: int = 4096,
    window: int | Sequence[int] = 512,
    sep_token_id: int | None = None,
) -> Model:
    """A Longformer that begins as ``source`` and reads texts of ``max_positions`` tokens.

    Its positions are copied as often as there is room, and the projections of global tokens begin as copies of those of
    all tokens; so a text that the window reaches over gets the source's own numbers. ``window`` is how many neighbours
    a token sees, half of them to either side, in all layers or in each. ``sep_token_id`` separates two texts, by
    default the source's ``eos_token_id``. Raises `InputError` for a model that cannot become one, `ConfigError` for a
    window that cannot be.
    """
    max_positions = checked(max_positions, Size, "max_positions", InputError)
    _check(source, max_positions)
    config = _config(source, window, sep_token_id)
    first = config["pad_token_id"] + 1
    model = new_model(
        LongformerConfig.model_type,
        head=source.head_name,
        dtype=source.dtype,
        device=source.device,
        seed=0,
        max_position_embeddings=first + max_positions,
        **config,
    )
    model.load_state_dict(_state(source, model, first))
    return model.train(source.training)


def convert_checkpoint(
    source: str | Path,
    target: str | Path,
    *,
    max_positions: int = 4096,
    window: int | Sequence[int] = 512,
    head: str | None = None,
    **hub: Any,
) -> Model:
    """`to_longformer` of a folder or hub id, with its tokenizer, written to the folder ``target``.

    The weights keep their type. ``head`` is as for `tfx_core.load_model`, ``hub`` are `tfx_core.checkpoint.HubOptions`.
    """
    model = load_model(source, head=head, dtype="auto", **hub)
    tokenizer = load_tokenizer(source, **hub)
    separator = tokenizer.sep_token_id
    model = to_longformer(model, max_positions=max_positions, window=window, sep_token_id=separator)
    tokenizer.model_max_length = max_positions
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
    return model


def _check(source: Model, max_positions: int) -> None:
    """Raise `InputError` where the source computes something that a Longformer does not."""
    config: Any = source.config
    name = config.model_type
    if name not in SOURCES:
        raise InputError(f"a model of type {name}: those that become a Longformer are {', '.join(SOURCES)}")
    if source.head_name not in ("backbone", *HEADS):
        cure = f"load it with head='backbone' or one of {', '.join(HEADS)}"
        raise InputError(f"head {source.head_name!r}: a Longformer has none like it; {cure}")
    wrong = {
        "position_embedding_type": config.position_embedding_type != "absolute",
        "is_decoder": config.is_decoder,
        "pad_token_id": config.pad_token_id is None,
        "pruned_heads": bool(config.pruned_heads),
        "hidden_act": source.head_name == "masked-lm" and config.hidden_act != "gelu",
    }
    for key in [key for key, is_wrong in wrong.items() if is_wrong]:
        raise InputError(f"{key}={shown(getattr(config, key))} in the config of this {name}: no Longformer is like it")
    if source.max_positions is not None and max_positions < source.max_positions:
        raise InputError(f"max_positions={max_positions}: this {name} reads {source.max_positions} tokens already")


def _config(source: Model, window: int | Sequence[int], sep_token_id: int | None) -> dict[str, Any]:
    """The keys of the source's config that a Longformer has, and its own."""
    known = {*LongformerConfig.field_names()} - _OWN
    config = {key: value for key, value in source.config.to_dict().items() if key in known}
    end = config.get("eos_token_id")
    separator = end if sep_token_id is None and isinstance(end, int) else sep_token_id
    return {**config, "attention_window": window, "sep_token_id": separator}


def _state(source: Model, model: Model, first: int) -> dict[str, Any]:
    """The source's parameters under the names of the Longformer's, and what its layers have beside them."""
    wanted = model.state_dict()
    state = {_moved(name, wanted): tensor for name, tensor in source.state_dict().items()}
    state[_TABLE] = _positions(state[_TABLE], len(wanted[_TABLE]), source.backbone.first_position, first)
    for name in [each for each in wanted if _GLOBAL in each]:
        layer, _, part = name.partition(_GLOBAL)
        kind, parameter = part.split(".")
        query, both = state[f"{layer}.projections.qkv.{parameter}"].tensor_split([model.backbone.width])
        state[name] = query if kind == "queries" else both
    return {**state, "_extra_state": wanted["_extra_state"]}


def _moved(name: str, wanted: Collection[str]) -> str:
    """What the Longformer calls a parameter of the source."""
    moved = (new + name.removeprefix(old) for old, new in _POOLED.items() if name.startswith(old))
    return name if name in wanted else next(moved, name)


def _positions(table: Tensor, rows: int, begin: int, first: int) -> Tensor:
    """The table of positions ``(rows, D)``: behind ``first`` rows, which are none, those from ``begin`` on repeated."""
    before = table[:begin] if begin == first else table.new_zeros(first, table.shape[1])
    places = torch.arange(rows - first, device=table.device) % (len(table) - begin)
    return torch.cat((before, table[begin:][places]))
