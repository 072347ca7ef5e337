"""Decoding from a source: the encoder runs once, and no beam repeats what it found."""

from collections.abc import Mapping
from typing import Any

from tfx_core.generation import check_used
from tfx_core.model import CausalDecoding, Model, causal_decoding
from tfx_seq2seq.backbone import Seq2SeqBackbone, check_source

_OF_ENCODER = ("input_ids", "attention_mask", "inputs_embeds", "head_mask")
_OF_DECODER = {
    "decoder_input_ids": "input_ids",
    "decoder_attention_mask": "attention_mask",
    "decoder_head_mask": "head_mask",
    "cross_attn_head_mask": "cross_attn_head_mask",
    "past_key_values": "past_key_values",
}


def seq2seq_decoding(model: Model, inputs: Mapping[str, Any]) -> CausalDecoding:
    """The state of an encoder-decoder; raises `InputError` for a head that cannot generate and for inputs it ignores.

    A decoder without its encoder (head ``causal-lm``) decodes as every decoder does.
    """
    backbone = model.backbone
    if not isinstance(backbone, Seq2SeqBackbone):
        return causal_decoding(model, inputs)
    predictions = model.language_head.predictions
    check_used(inputs, {*_OF_ENCODER, *_OF_DECODER, "encoder_outputs", "attention"})
    attention = inputs.get("attention", model.attention)
    of_encoder = {name: inputs[name] for name in _OF_ENCODER if name in inputs}
    encoded = backbone.encode(inputs.get("encoder_outputs"), **of_encoder, attention=attention)
    source, mask = encoded.last_hidden_state, inputs.get("attention_mask")
    check_source(source, mask, inputs.get("decoder_input_ids"), None)
    of_decoder = {ours: inputs[name] for name, ours in _OF_DECODER.items() if name in inputs}
    of_decoder["encoder_hidden_states"] = source
    if mask is not None:
        of_decoder["encoder_attention_mask"] = mask
    return CausalDecoding(backbone.decoder, predictions, of_decoder, attention)
