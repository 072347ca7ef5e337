"""mBART."""

from dataclasses import replace

import torch
from torch import Tensor

from tests.cases import bart
from tfx_testing.cases import Inputs, Variant
from tfx_testing.parity.case import Case, seq2seq_inputs
from tfx_testing.vocabularies import pieces


def _labels_alone(case: Case, generator: torch.Generator) -> Inputs:
    """Labels that the decoder's input is made of: each row's last one, which names its language, begins it."""
    made = seq2seq_inputs(case, generator)
    del made["decoder_input_ids"]
    return made


def _with_every_name_of_a_table(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    shared = "model.shared.weight"
    if shared not in tensors:
        return tensors
    names = ("model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight")
    return {**tensors, **{name: tensors[shared].clone() for name in names}}


CASE = replace(
    bart.CASE,
    model_type="mbart",
    # the start token is that of mBART-50; what ends a text that is padded begins it
    tiny={**bart.TINY, "decoder_start_token_id": 2, "pad_token_id": 1},
    variants=(
        *bart.CASE.variants,
        Variant("labels alone", heads=("conditional-generation",), inputs=_labels_alone),
    ),
    layouts={"every name of a table (first conversions)": _with_every_name_of_a_table},
    refused=(
        ({"encoder_attention_heads": 5}, "encoder_attention_heads=5: must be a divisor of d_model=24"),
        ({"pad_token_id": 53}, "pad_token_id=53: must be an id below vocab_size=53"),
    ),
    released=lambda: pieces(("<unk>", "<s>", "</s>"), file="sentencepiece.bpe.model"),
)
