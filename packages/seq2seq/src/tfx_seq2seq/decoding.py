"""Decoding from a source: the encoder runs once, and no beam repeats what it found."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from torch import Tensor, nn

from tfx_core.generation import REPORTS, check_used
from tfx_core.model import CausalDecoding, Model, ModelOutput, causal_decoding
from tfx_core.nn import AttentionKernel
from tfx_seq2seq.backbone import Seq2SeqBackbone, check_source

_OF_ENCODER = ("input_ids", "attention_mask", "inputs_embeds", "head_mask")
_OF_DECODER = {
    "decoder_input_ids": "input_ids",
    "decoder_attention_mask": "attention_mask",
    "decoder_head_mask": "head_mask",
    "cross_attn_head_mask": "cross_attn_head_mask",
    "past_key_values": "past_key_values",
}


def seq2seq_decoding(model: Model, inputs: Mapping[str, Any], *, also: Collection[str] = ()) -> CausalDecoding:
    """The state of an encoder-decoder; raises `InputError` for a head that cannot generate and for inputs it ignores.

    Every call of the decoder is given ``also`` these inputs. A decoder without its encoder (head ``causal-lm``) decodes
    as every decoder does.
    """
    backbone = model.backbone
    if not isinstance(backbone, Seq2SeqBackbone):
        return causal_decoding(model, inputs, also=also)
    head = model.language_head
    check_used(inputs, {*_OF_ENCODER, *_OF_DECODER, *REPORTS, *also, "encoder_outputs", "attention"})
    attention = inputs.get("attention", model.attention)
    of_encoder = {name: inputs[name] for name in _OF_ENCODER + REPORTS if name in inputs}
    encoded = backbone.encode(inputs.get("encoder_outputs"), **of_encoder, attention=attention)
    source, mask = encoded.last_hidden_state, inputs.get("attention_mask")
    check_source(source, mask, inputs.get("decoder_input_ids"), None)
    of_decoder = {ours: inputs[name] for name, ours in _OF_DECODER.items() if name in inputs}
    constant = {name: inputs[name] for name in (*REPORTS, *also) if name in inputs}
    of_decoder.update(constant, encoder_hidden_states=source)
    if mask is not None:
        of_decoder["encoder_attention_mask"] = mask
    return Seq2SeqDecoding(backbone.decoder, head.predictions, of_decoder, attention, encoded, read=head.read)


class Seq2SeqDecoding(CausalDecoding):
    """The state of a decoder beside its encoder, whose results ``encoded`` are."""

    def __init__(
        self,
        decoder: nn.Module,
        predictions: nn.Module,
        inputs: Mapping[str, Any],
        attention: AttentionKernel,
        encoded: ModelOutput,
        *,
        read: Callable[[ModelOutput], Tensor],
    ) -> None:
        super().__init__(decoder, predictions, inputs, attention, read=read)
        self._encoded = encoded

    def reports(self) -> dict[str, tuple[Tensor, ...]]:
        """The decoder's, by the names that they have beside an encoder's."""
        return {name if name == "cross_attentions" else f"decoder_{name}": x for name, x in super().reports().items()}

    def source_reports(self) -> dict[str, tuple[Tensor, ...]]:
        """The encoder's."""
        names = [name.removeprefix("output_") for name in REPORTS if self._constant.get(name)]
        return {f"encoder_{name}": self._encoded[name] for name in names if name in self._encoded}
