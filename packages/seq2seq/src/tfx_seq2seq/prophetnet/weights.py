"""Names of the tensors of ProphetNet's backbone in a checkpoint."""

from collections.abc import Iterator

from tfx_core.checkpoint import BackboneRules, Fuse, Legacy, Rename, Rule, Same
from tfx_seq2seq.prophetnet.config import ProphetNetConfig

_ALL = "prophetnet."
_SIDES = ("encoder", "decoder")
_TABLE = "word_embeddings.weight"


def backbone_rules(config: ProphetNetConfig, parts: frozenset[str]) -> BackboneRules:
    """The rules of encoder and decoder, or of one of them.

    With ``"alone"`` that one is a checkpoint's whole model, which names its tensors without saying which side it is.
    """
    both, side = parts >= {*_SIDES}, "decoder" if "decoder" in parts else "encoder"
    ours = {each: f"backbone.{each}." if both else "backbone." for each in _SIDES}
    beginning = f"{_ALL}{side}." if "alone" in parts else _ALL
    table = beginning + _TABLE
    rules: dict[str, list[Rule]] = {
        "encoder": [*_side(_ALL + "encoder.", ours["encoder"])],
        "decoder": [*_side(_ALL + "decoder.", ours["decoder"]), *_of_decoder(_ALL + "decoder.", ours["decoder"])],
    }
    for name, owner in _names_of_table(side):
        if name != table:
            rules[owner].append(Same(name, table))
    # the reference's bare model of both sides
    bare = (Legacy(f"{each}.{{x}}", f"{_ALL}{each}.{{x}}") for each in _SIDES if "alone" in parts)
    return BackboneRules(
        core=(Rename(table, ours[side] + "embeddings.token.weight"), *bare),
        parts={**rules, "alone": ()},
        prefix=beginning,
    )


def _names_of_table(side: str) -> Iterator[tuple[str, str]]:
    """The names that files have for the token table, and the side without which they do not have it."""
    yield from ((f"{_ALL}{each}.{_TABLE}", each) for each in _SIDES)
    yield _ALL + _TABLE, "encoder" if side == "decoder" else "decoder"


def _side(theirs: str, ours: str) -> tuple[Rule, ...]:
    layer, our_layer = theirs + "layers.{i}.", ours + "stack.layers.{i}."
    return (
        Rename(theirs + "position_embeddings.weight", ours + "embeddings.position.weight"),
        Rename(theirs + "embeddings_layer_norm.{p}", ours + "embeddings.norm.{p}"),
        Fuse(
            tuple(layer + f"self_attn.{part}_proj.{{p}}" for part in ("query", "key", "value")),
            our_layer + "self_attention.sublayer.projections.qkv.{p}",
        ),
        Rename(layer + "self_attn.out_proj.{p}", our_layer + "self_attention.sublayer.out.{p}"),
        Rename(layer + "self_attn_layer_norm.{p}", our_layer + "self_attention.norm.{p}"),
        Rename(layer + "feed_forward.intermediate.{p}", our_layer + "feed_forward.sublayer.up.{p}"),
        Rename(layer + "feed_forward.output.{p}", our_layer + "feed_forward.sublayer.down.{p}"),
        Rename(layer + "feed_forward_layer_norm.{p}", our_layer + "feed_forward.norm.{p}"),
    )


def _of_decoder(theirs: str, ours: str) -> tuple[Rule, ...]:
    layer, our_layer = theirs + "layers.{i}.", ours + "stack.layers.{i}."
    cross, our_cross = layer + "cross_attn", our_layer + "cross_attention."
    return (
        Rename(theirs + "ngram_embeddings.weight", ours + "predicting.weight"),
        Rename(layer + "self_attn.relative_pos_embeddings.{p}", our_layer + "self_attention.sublayer.distances.{p}"),
        Rename(cross + ".query_proj.{p}", our_cross + "sublayer.projections.queries.{p}"),
        Fuse(
            tuple(cross + f".{part}_proj.{{p}}" for part in ("key", "value")),
            our_cross + "sublayer.projections.keys_values.{p}",
        ),
        Rename(cross + ".out_proj.{p}", our_cross + "sublayer.out.{p}"),
        Rename(cross + "_layer_norm.{p}", our_cross + "norm.{p}"),
    )
