"""Marian."""

from typing import Any

from torch import Tensor

from tests.cases import bart
from tfx_testing.cases import ArchitectureCase, Variant
from tfx_testing.vocabularies import two_sides

TINY: dict[str, Any] = {
    **bart.TINY,
    "scale_embedding": True,
    "pad_token_id": 4,
    "decoder_start_token_id": 4,
}
APART: dict[str, Any] = {"share_encoder_decoder_embeddings": False}

_TABLES = ("shared", "encoder.embed_tokens", "decoder.embed_tokens")


def _with_all_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With the token table under each of its names, and the tables of positions."""
    return {**_tables(tensors, *_TABLES), **tensors}


def _with_tables_of_sides(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With the tables of both sides alone, as where they are not shared."""
    others = {name: each for name, each in tensors.items() if not name.endswith("shared.weight")}
    return {**others, **_tables(tensors, *_TABLES[1:])}


def _with_output_layer(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With the output layer's name of the table."""
    if "final_logits_bias" not in tensors:
        return tensors
    return {"lm_head.weight": next(iter(_tables(tensors, "shared").values())), **tensors}


def _tables(tensors: dict[str, Tensor], *names: str) -> dict[str, Tensor]:
    held = next(name for name in tensors if any(name.endswith(f"{table}.weight") for table in _TABLES))
    prefix = held[: held.index(next(table for table in _TABLES if f"{table}.weight" in held))]
    return {f"{prefix}{name}.weight": tensors[held].clone() for name in names}


def _with_whole_bias(model: Any) -> None:
    """Its resizing forgets ``pad_to_multiple_of`` for the logits' bias, which then does not fit them."""
    if hasattr(model, "_resize_final_logits_bias"):
        resize = model._resize_final_logits_bias
        model._resize_final_logits_bias = lambda size: resize(len(model.lm_head.weight))


CASE = ArchitectureCase(
    "marian",
    TINY,
    (
        Variant("standard", patch=_with_whole_bias),
        Variant("unscaled swish", {"scale_embedding": False, "activation_function": "swish"}),
        Variant("two tables", APART),
        # the reference makes both tables as large as the source's
        Variant("two tables, untied", {**APART, "tie_word_embeddings": False}, resized=False),
        Variant(
            "untied", {"tie_word_embeddings": False}, ("backbone", "conditional-generation"), patch=_with_whole_bias
        ),
        Variant("untied decoder", {"tie_word_embeddings": False}, heads=("causal-lm",)),
        Variant("decoder with source", heads=("causal-lm",), source_width=24),
    ),
    inputs=bart.CASE.inputs,
    end_token=2,
    target_heads=("backbone", "conditional-generation"),
    optional_inputs=bart.CASE.optional_inputs,
    layouts={
        "the table by all of its names": _with_all_names,
        "a table of each side": _with_tables_of_sides,
        "the output layer beside the table it is tied to": _with_output_layer,
    },
    refused=(
        ({"pad_token_id": 53}, "pad_token_id=53: must be an id below vocab_size=53"),
        ({**APART, "decoder_vocab_size": 4}, "pad_token_id=4: must be an id below decoder_vocab_size=4"),
    ),
    released=lambda: two_sides(">>fra<<", ">>deu<<"),
    tokenizer_json=False,
)
