"""Reformer."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tfx_testing.cases import ArchitectureCase, Inputs, Variant
from tfx_testing.parity.case import LENGTH
from tfx_testing.vocabularies import pieces

TINY: dict[str, Any] = {
    "vocab_size": 53,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "attention_head_size": 6,
    "feed_forward_size": 40,
    "attn_layers": ["local", "lsh", "local"],
    "lsh_attn_chunk_length": 16,
    "local_attn_chunk_length": 4,
    "num_buckets": 4,
    "hash_seed": 7,
    "max_position_embeddings": 48,
    "axial_pos_shape": [6, 8],
    "axial_pos_embds_dim": [8, 16],
    "hidden_dropout_prob": 0.0,
    "local_attention_probs_dropout_prob": 0.0,
}
HASHED: dict[str, Any] = {"lsh_attn_chunk_length": 4}
CAUSAL: dict[str, Any] = {"is_decoder": True}
WRITING = ("backbone", "causal-lm")
READING = ("backbone", "masked-lm")
ON_TEXTS = ("sequence-classification", "question-answering")


def comparable(model: Any) -> None:
    """The reference's model with what it reports in the form that is reported here, and able to learn outside training.

    It reports states and weights of its own padding, too, and weights by slots of sorted chunks. A token that sees only
    itself has a score of which float32 holds no fraction, so its weights are not quite 1. A classifier keeps a cache,
    which breaks the backward pass of a text that is padded.
    """
    reformer, model.config.use_cache = model.base_model, False
    for layer in reformer.encoder.layers:
        _can_learn(layer)
        attention = layer.attention.self_attention
        if hasattr(attention, "query_key"):
            attention.self_mask_value_float32.fill_(-1e3)
            attention._attend = _with_weights_of_places(attention, attention._attend)
        else:
            attention.forward = _with_local_weights(attention, attention.forward)
    reformer.register_forward_hook(lambda module, given, output: _without_padding(output))


def _can_learn(layer: Any) -> None:
    """Outside of training its backward pass refuses; what it needs from the pass before are seeds, and no dropout."""
    backward = layer.backward_pass

    def pass_back(**given: Any) -> Any:
        layer.training = True
        result = backward(**given)
        layer.training = False
        return result

    layer.attention_seed = layer.feed_forward_seed = 0
    layer.backward_pass = pass_back


def _without_padding(output: Any) -> Any:
    for name in ("hidden_states", "attentions"):
        if output.get(name) is not None:
            whole = slice(None), slice(LENGTH)
            cut = whole if name == "hidden_states" else (slice(None), *whole, slice(LENGTH))
            output[name] = tuple(each[cut] for each in output[name])
    return output


def _with_weights_of_places(attention: Any, attend: Callable[..., Any]) -> Callable[..., Any]:
    def attend_and_tell(**given: Any) -> Any:
        context, logits, weights = attend(**given)
        if not given["do_standard_self_attention"]:
            order = given["sorted_bucket_idx_per_hash"]
            rounds = attention.num_hashes
            length = order.shape[-1] // rounds
            own, found = order.unflatten(-1, (rounds, length)), logits.unflatten(-1, (rounds, length))
            by_place = torch.zeros_like(found).scatter(-1, own, found).softmax(2)
            share = by_place.gather(-1, own).flatten(2)  # of each slot, its round's
            weights = _of_places(attention, order, weights, share, length)
        return context, logits, weights

    return attend_and_tell


def _with_local_weights(attention: Any, forward: Callable[..., Any]) -> Callable[..., Any]:
    def attend_and_tell(hidden_states: Tensor, **given: Any) -> Any:
        output = forward(hidden_states, **given)
        weights, (rows, length) = output.attention_probs, hidden_states.shape[:2]
        if isinstance(weights, Tensor) and weights.dim() == 5:
            order = torch.arange(length).expand(rows, weights.shape[1], -1)
            weights = _of_places(attention, order, weights, torch.ones(order.shape), length)
        return output._replace(attention_probs=weights)

    return attend_and_tell


def _of_places(attention: Any, order: Tensor, weights: Tensor, share: Tensor, length: int) -> Tensor:
    """The weights ``(B, H, chunks, l, k·l)`` of slots, times their share, as ``(B, H, S, S)`` of places."""
    queries = order.unflatten(-1, (-1, attention.chunk_length))
    keys = attention._look_adjacent(queries, attention.num_chunks_before, attention.num_chunks_after)
    pairs = queries[..., None] * length + keys[..., None, :]
    weights = weights * share.unflatten(-1, (-1, attention.chunk_length))[..., None]
    dense = torch.zeros(*order.shape[:2], length * length)
    return dense.scatter_add(-1, pairs.flatten(2), weights.flatten(2)).unflatten(-1, (length, length))


def unpadded(made: Inputs) -> Inputs:
    """The same: in the reference, which chunks there are and what is hashed depends on the longest row."""
    return made


def variant(name: str, heads: tuple[str, ...], changes: dict[str, Any], *, padded: bool = False) -> Variant:
    """A variant of the tiny config."""
    return Variant(name, changes, heads, padded=None if padded else unpadded, patch=comparable)


def two(kind: str) -> dict[str, Any]:
    """Two layers of one kind."""
    return {"attn_layers": [kind, kind], "num_hidden_layers": 2}


def goes_with(size: str, value: int) -> dict[str, Any]:
    """Axial positions are as wide as the hidden states, and each layer has a kind."""
    if size == "hidden_size":
        return {"axial_pos_embds_dim": [8, value - 8]}
    return {"attn_layers": ["local", "lsh"] * value} if size == "num_hidden_layers" and value < 100 else {}


def with_two_biases(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The logits' bias under both of its names, as versions before safetensors wrote it."""
    return {**tensors, **{name.replace("lm_head.bias", "lm_head.decoder.bias"): x for name, x in tensors.items()}}


def with_mask_values(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With what each layer adds to scores that it hides, which were once buffers."""
    values = {"mask_value_float16": -1e4, "mask_value_float32": -1e9}
    own = {"self_mask_value_float16": -1e3, "self_mask_value_float32": -1e5}
    made = dict(tensors)
    for layer in (name.removesuffix("value.weight") for name in tensors if name.endswith(".value.weight")):
        names = {**values, **(own if f"{layer}query_key.weight" in tensors else {})}
        made |= {layer + name: torch.tensor(value) for name, value in names.items()}
    return made


CASE = ArchitectureCase(
    "reformer",
    TINY,
    (
        variant("causal", (*WRITING, *ON_TEXTS), CAUSAL, padded=True),
        variant("both ways", (*READING, *ON_TEXTS), {}, padded=True),
        variant("hashed", (*WRITING, *ON_TEXTS), {**HASHED, **CAUSAL}),
        variant("hashed, both ways", (*READING, *ON_TEXTS), HASHED),
        variant("hashed alone", WRITING, {**HASHED, **CAUSAL, **two("lsh")}),
        variant("local alone", WRITING, {**CAUSAL, **two("local")}, padded=True),
        variant("local alone, both ways", READING, two("local")),
        variant("several rounds", WRITING, {**HASHED, **CAUSAL, "num_hashes": 3}),
        variant("several rounds, both ways", READING, {**HASHED, **two("lsh"), "num_hashes": 2}),
        variant("factors", WRITING, {**HASHED, **CAUSAL, "num_buckets": [2, 4]}),
        variant("one factor", ("backbone",), {**HASHED, **CAUSAL, "num_buckets": [6]}),
        variant("buckets by length", WRITING, {**HASHED, **CAUSAL, "num_buckets": None}),
        variant("other chunks", WRITING, {**CAUSAL, "lsh_attn_chunk_length": 3, "local_attn_chunk_length": 2}),
        variant("chunks after", ("backbone",), {**HASHED, "lsh_num_chunks_after": 1, "local_num_chunks_after": 1}),
        variant("chunks alone", ("backbone",), {**HASHED, "lsh_num_chunks_before": 0, "local_num_chunks_before": 0}),
        variant("table of positions", WRITING, {**CAUSAL, "axial_pos_embds": False}, padded=True),
        variant(
            "three axes", ("backbone",), {**CAUSAL, "axial_pos_shape": [2, 4, 5], "axial_pos_embds_dim": [8, 10, 6]}
        ),
        variant("more positions than places", ("backbone",), {**CAUSAL, "max_position_embeddings": 100}),
        variant("small parts", WRITING, {**CAUSAL, "chunk_size_feed_forward": 4, "chunk_size_lm_head": 1}),
        variant("wide heads", ("causal-lm",), {**HASHED, **CAUSAL, "attention_head_size": 9, "hidden_act": "gelu"}),
        variant("regression", ("sequence-classification",), {"num_labels": 1}, padded=True),
        variant("several labels", ("sequence-classification",), {"problem_type": "multi_label_classification"}),
    ),
    layouts={
        "two biases of the logits (before safetensors)": with_two_biases,
        "buffers (the first versions)": with_mask_values,
    },
    refused=(
        ({"axial_pos_embds_dim": [8, 8]}, r"axial_pos_embds_dim=\(8, 8\): must be numbers with the sum hidden_size=24"),
        ({"axial_pos_shape": [48]}, r"axial_pos_shape=\(48,\): must be as long as axial_pos_embds_dim=\[8, 16\]"),
        ({"num_buckets": 5}, "num_buckets=5: must be even"),
        ({"num_buckets": [4, 3]}, r"num_buckets=\(4, 3\): must be even, each number of it"),
        ({"attn_layers": []}, r"attn_layers=\[\]: must be a list, each one of 'lsh', 'local' that is not empty"),
        ({"attn_layers": ["full"]}, "attn_layers=.* must be a list, each one of 'lsh', 'local'"),
        ({"num_hidden_layers": 4}, "num_hidden_layers=4: must be from 1 to 3, the number of attn_layers"),
        ({"lsh_attn_chunk_length": 0}, "lsh_attn_chunk_length=0: must be an integer at least 1"),
        ({"num_hashes": 0}, "num_hashes=0: must be an integer at least 1"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings=True: must be false: predictions read states 2·D wide"),
    ),
    reversible=True,
    patterns=False,
    sparse={"axial_pos_shape": [32, 32], "max_position_embeddings": 1024},
    released=lambda: pieces(("<unk>", "<s>", "</s>")),
    convolves=True,
    stepwise=lambda config: "lsh" not in config.attn_layers or config.lsh_attn_chunk_length == 16,
    goes_with=goes_with,
)
