"""Names of the tensors of Reformer's backbone in a checkpoint."""

from collections.abc import Callable, Iterator

from torch import Tensor

from tfx_core.checkpoint import BackboneRules, Drop, Fuse, Rename, Reshape, Rule
from tfx_decoders.reformer.config import ReformerConfig

_EMBEDDINGS = "reformer.embeddings."
_THEIRS = "reformer.encoder.layers.{i}."
_OURS = "backbone.stack.layers.{i}."


def backbone_rules(config: ReformerConfig, parts: frozenset[str]) -> BackboneRules:
    """The rules; where positions are axial, each axis has a table, ``(1, …, places, …, 1, width)``."""
    core = (
        Rename(_EMBEDDINGS + "word_embeddings.weight", "backbone.embeddings.token.weight"),
        *(_axes(len(config.axial_pos_shape)) if config.axial_pos_embds else _TABLE),
        *(rule for number, kind in enumerate(config.attn_layers) for rule in _projections(number, kind)),
        *_LAYER,
        *_HIDDEN,
        Rename("reformer.encoder.layer_norm.{p}", "backbone.stack.norm.{p}"),
    )
    return BackboneRules(core, prefix="reformer.")


_TABLE = (Rename(_EMBEDDINGS + "position_embeddings.embedding.weight", "backbone.embeddings.position.0.weight"),)
_LAYER = (
    Rename(_THEIRS + "attention.layer_norm.{p}", _OURS + "self_attention.norm.{p}"),
    Rename(_THEIRS + "attention.output.dense.weight", _OURS + "self_attention.sublayer.out.weight"),
    Rename(_THEIRS + "feed_forward.layer_norm.{p}", _OURS + "feed_forward.norm.{p}"),
    Rename(_THEIRS + "feed_forward.dense.dense.{p}", _OURS + "feed_forward.sublayer.up.{p}"),
    Rename(_THEIRS + "feed_forward.output.dense.{p}", _OURS + "feed_forward.sublayer.down.{p}"),
)

_HIDDEN = tuple(  # what hides in scores, stored by older versions of the reference
    Drop(f"{_THEIRS}attention.self_attention.{name}mask_value_float{bits}")
    for name in ("", "self_")
    for bits in (16, 32)
)


def _axes(count: int) -> Iterator[Rule]:
    for number in range(count):
        yield Reshape(
            f"{_EMBEDDINGS}position_embeddings.weights.{number}",
            f"backbone.embeddings.position.axes.{number}.weight",
            _along(number, count),
        )


def _along(axis: int, count: int) -> Callable[[Tensor], Tensor]:
    def view(table: Tensor) -> Tensor:
        sizes = [1] * axis + [len(table)] + [1] * (count - axis - 1)
        return table.view(*sizes, table.shape[1])

    return view


def _projections(number: int, kind: str) -> Iterator[Rule]:
    """Of one layer: hashed attention has one matrix for queries and keys, local attention has both."""
    theirs = f"reformer.encoder.layers.{number}.attention.self_attention."
    ours = f"backbone.stack.layers.{number}.self_attention.sublayer.projections."
    if kind == "lsh":
        yield Rename(theirs + "query_key.weight", ours + "query_key.weight")
        yield Rename(theirs + "value.weight", ours + "value.weight")
    else:
        parts = tuple(f"{theirs}{part}.weight" for part in ("query", "key", "value"))
        yield Fuse(parts, ours + "qkv.weight")
