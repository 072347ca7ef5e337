"""GPT."""

from typing import Any

import torch
from torch import Tensor

from tests.cases.transfo_xl import padded_vectors
from tests.cases.xlnet import summarise_real_tokens
from tfx_testing.cases import ArchitectureCase, Inputs, Variant
from tfx_testing.parity.case import BATCH, LENGTH, Case, encoder_inputs
from tfx_testing.vocabularies import word_bpe

TINY: dict[str, Any] = {
    "vocab_size": 53,
    "n_positions": 40,
    "n_embd": 24,
    "n_layer": 3,
    "n_head": 4,
    "resid_pdrop": 0.0,
    "embd_pdrop": 0.0,
    "attn_pdrop": 0.0,
    "summary_first_dropout": 0.0,
}


def with_buffers(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With the causal mask of each layer and the numbers of the positions, which were once buffers."""
    prefix = "transformer." if any(name.startswith("transformer.") for name in tensors) else ""
    seen = torch.ones(1, 1, 40, 40).tril()
    masks = {f"{prefix}h.{layer}.attn.bias": seen.clone() for layer in range(3)}
    return {**tensors, **masks, f"{prefix}position_ids": torch.arange(40)}


def in_the_original_spelling(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Norms and layers have a gain, a bias and a weight, of one letter each."""
    letters = {"weight": "w", "bias": "b"}
    spelled = {}
    for name, tensor in tensors.items():
        layer, _, last = name.rpartition(".")
        inner = ".ln_" in layer or ".c_" in layer
        spelled[f"{layer}.{'g' if '.ln_' in layer and last == 'weight' else letters[last]}" if inner else name] = tensor
    return spelled


def mend(model: Any) -> None:
    """The reference gives its attention a mask with the axis of choices, and fails."""

    def by_rows(module: Any, given: Any, named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return given, {**named, "attention_mask": named["attention_mask"].flatten(0, -2)}

    model.base_model.register_forward_pre_hook(by_rows, with_kwargs=True)
    if getattr(model.config, "summary_type", "cls_index") != "cls_index":
        summarise_real_tokens(model, "multiple_choice_head")


def told(case: Case, generator: torch.Generator) -> Inputs:
    """The usual inputs, positions that are told and heads of each layer weakened."""
    places = torch.arange(LENGTH).flip(0).expand(BATCH, -1)
    return {
        **encoder_inputs(case, generator),
        "position_ids": places,
        "head_mask": torch.rand((3, 4), generator=generator),
    }


def with_vectors(case: Case, generator: torch.Generator) -> Inputs:
    """Vectors in the place of ids."""
    made = encoder_inputs(case, generator)
    shape = made.pop("input_ids").shape
    return {**made, "inputs_embeds": torch.randn(*shape, 24, generator=generator)}


def variant(name: str, heads: tuple[str, ...] | None = None, **changes: Any) -> Variant:
    """A variant of the tiny config."""
    own = {key: changes.pop(key) for key in ("inputs", "padded") if key in changes}
    return Variant(name, changes, heads, patch=mend, **own)


BARE, WRITING, CHOOSING, CLASSIFYING = (
    ("backbone",),
    ("causal-lm", "double-heads"),
    ("double-heads",),
    ("sequence-classification",),
)

CASE = ArchitectureCase(
    "openai-gpt",
    TINY,
    (
        variant("standard"),
        variant("told positions", ("backbone", "causal-lm"), inputs=told),
        variant("vectors", ("backbone", "causal-lm"), inputs=with_vectors, padded=padded_vectors),
        variant("relu", BARE, afn="relu"),
        variant("swish", BARE, afn="swish"),
        variant("silu", ("backbone", "causal-lm"), afn="silu", layer_norm_epsilon=1e-2),
        variant("pruned", pruned_heads={"0": [1, 2], "2": [0]}),
        variant("pruned from the end", BARE, pruned_heads={"1": [-1, 0]}),
        variant("untied", WRITING, tie_word_embeddings=False),
        variant("activated summary", CHOOSING, summary_activation="tanh"),
        variant("last summary", CHOOSING, summary_type="last"),
        variant("first summary", CHOOSING, summary_type="first", summary_activation="gelu"),
        variant("mean summary", CHOOSING, summary_type="mean"),
        variant("regression", CLASSIFYING, num_labels=1),
        variant("several labels", CLASSIFYING, problem_type="multi_label_classification"),
    ),
    compared={"pad_token_id": 0},
    layouts={
        "buffers (up to 4.30)": with_buffers,
        "the original code's spelling (pytorch-pretrained-bert)": in_the_original_spelling,
    },
    refused=(
        ({"n_head": 5}, "n_head=5: must be a divisor of n_embd=24"),
        ({"afn": "tanh"}, "afn='tanh': must be one of"),
    ),
    released=lambda: word_bpe(("<unk>",), counted=False),
)
