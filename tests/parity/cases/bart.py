"""BART."""

import torch

from tests.models.tiny import tiny_config
from tests.parity.case import Case, Inputs, Variant, encoder_inputs, seq2seq_inputs

TINY = {**tiny_config("bart"), "num_labels": 3}


def _inputs(case: Case, generator: torch.Generator) -> Inputs:
    if case.head == "causal-lm":
        return encoder_inputs(case, generator)
    return seq2seq_inputs(case, generator)


VARIANTS = (
    Variant("standard", TINY, inputs=_inputs),
    Variant("scaled relu", {**TINY, "scale_embedding": True, "activation_function": "relu"}, inputs=_inputs),
    Variant(
        "untied",
        {**TINY, "tie_word_embeddings": False},
        heads=("conditional-generation",),
        inputs=_inputs,
        unreadable="it does not tie the encoder's and the decoder's table to the shared one, which alone is stored",
    ),
    Variant("untied decoder", {**TINY, "tie_word_embeddings": False}, heads=("causal-lm",), inputs=_inputs),
    Variant("decoder with source", TINY, heads=("causal-lm",), inputs=_inputs, source_width=24),
    Variant("regression", {**TINY, "num_labels": 1}, heads=("sequence-classification",), inputs=_inputs),
)
