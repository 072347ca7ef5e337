"""BART."""

from typing import Any

import torch
from torch import Tensor

from tfx_testing.cases import ArchitectureCase, Inputs, Variant
from tfx_testing.parity.case import Case, encoder_inputs, seq2seq_inputs
from tfx_testing.vocabularies import byte_bpe

TINY: dict[str, Any] = {
    "vocab_size": 53,
    "max_position_embeddings": 40,
    "d_model": 24,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 40,
    "decoder_layers": 3,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 32,
    "dropout": 0.0,
}


def _inputs(case: Case, generator: torch.Generator) -> Inputs:
    if case.head == "causal-lm":
        return encoder_inputs(case, generator)
    return seq2seq_inputs(case, generator)


def _vectors(case: Case, generator: torch.Generator) -> Inputs:
    """Vectors in the place of the ids of both sides: only ids are scaled."""
    made = _inputs(case, generator)
    for ids, vectors in (("input_ids", "inputs_embeds"), ("decoder_input_ids", "decoder_inputs_embeds")):
        shape = made.pop(ids).shape
        made[vectors] = torch.randn(*shape, case.config["d_model"], generator=generator)
    return made


def _cut(inputs: Inputs) -> Inputs:
    """The sources cut to different lengths."""
    mask = torch.tensor([11, 4, 8])[:, None] > torch.arange(inputs["attention_mask"].shape[1])
    return {**inputs, "attention_mask": mask.long()}


def _source_of_decoder(head: str, ids: Tensor) -> Inputs:
    """What the decoder attends to when it stands alone."""
    if head != "causal-lm":
        return {}
    width = TINY["d_model"]
    return {"encoder_hidden_states": torch.randn(len(ids), 3, width, generator=torch.Generator().manual_seed(0))}


CASE = ArchitectureCase(
    "bart",
    TINY,
    (
        Variant("standard"),
        Variant("scaled relu", {"scale_embedding": True, "activation_function": "relu"}),
        Variant(
            "scaled, vectors", {"scale_embedding": True}, ("conditional-generation",), inputs=_vectors, padded=_cut
        ),
        Variant("untied", {"tie_word_embeddings": False}, heads=("backbone", "conditional-generation")),
        Variant("untied decoder", {"tie_word_embeddings": False}, heads=("causal-lm",)),
        Variant("decoder with source", heads=("causal-lm",), source_width=24),
        Variant("regression", {"num_labels": 1}, heads=("sequence-classification",)),
    ),
    inputs=_inputs,
    end_token=2,
    target_heads=("backbone", "conditional-generation"),
    optional_inputs=_source_of_decoder,
    released=lambda: byte_bpe(("<s>", "<pad>", "</s>", "<unk>"), ("<mask>",)),
)
