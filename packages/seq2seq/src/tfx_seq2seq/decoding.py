"""Decoding from a source: the encoder runs once, and no beam repeats what it found."""

from collections.abc import Mapping

from torch import Tensor

from tfx_core.model import CausalDecoding, Model, causal_decoding
from tfx_seq2seq.backbone import Seq2SeqBackbone

_OF_DECODER = {
    "decoder_input_ids": "input_ids",
    "decoder_attention_mask": "attention_mask",
    "decoder_inputs_embeds": "inputs_embeds",
    "decoder_head_mask": "head_mask",
    "cross_attn_head_mask": "cross_attn_head_mask",
}
_OF_ENCODER = ("input_ids", "attention_mask", "inputs_embeds", "head_mask")


def seq2seq_decoding(model: Model, inputs: Mapping[str, Tensor]) -> CausalDecoding:
    """The state of an encoder-decoder; raises `InputError` for a head that cannot generate.

    A decoder without its encoder (head ``causal-lm``) decodes as every decoder does.
    """
    backbone = model.backbone
    if not isinstance(backbone, Seq2SeqBackbone):
        return causal_decoding(model, inputs)
    predictions = model.language_head.predictions
    mask = inputs.get("attention_mask")
    decoder_inputs = {ours: inputs[name] for name, ours in _OF_DECODER.items() if inputs.get(name) is not None}
    of_encoder = {name: inputs[name] for name in _OF_ENCODER if inputs.get(name) is not None}
    encoded = backbone.encode(inputs.get("encoder_outputs"), **of_encoder, attention=model.attention)
    decoder_inputs["encoder_hidden_states"] = encoded.last_hidden_state
    if mask is not None:
        decoder_inputs["encoder_attention_mask"] = mask
    return CausalDecoding(backbone.decoder, predictions, decoder_inputs, model.attention)
