"""Exports a folder of BERT for ONNX Runtime: takes the folder and the one to write ``float32.onnx``, ``int8.onnx`` to.

Both are fused by ONNX Runtime's own tool for transformers; weights of 8 bits then have a scale for each channel, and
the sign that its kernels for the processor want, as in the settings of optimum-onnx: without VNNI, two products of
signed ones overflow 16 bits.
"""

import sys
import warnings
from pathlib import Path

import torch
from onnx import TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.optimizer import optimize_model
from torch import Tensor, nn
from transformers import AutoModel

INPUTS, OUTPUT = ["input_ids", "attention_mask"], "states"


class States(nn.Module):
    """The model with one output."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Ids and mask ``(B, S)`` -> states ``(B, S, D)``."""
        states: Tensor = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        return states


def main(source: str, target: Path) -> None:
    """Write both files."""
    target.mkdir()
    model = AutoModel.from_pretrained(source, attn_implementation="eager")  # whose attention the tool knows
    plain, wide = str(target / "plain.onnx"), str(target / "float32.onnx")
    ids = torch.arange(14).view(2, 7) + 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the tool does not know the newer exporter's graphs
        torch.onnx.export(
            States(model).eval(),
            (ids, torch.ones_like(ids)),
            plain,
            dynamo=False,
            opset_version=17,
            input_names=INPUTS,
            output_names=[OUTPUT],
            dynamic_axes={name: {0: "batch", 1: "tokens"} for name in (*INPUTS, OUTPUT)},
        )
    config = model.config
    fused = optimize_model(
        plain, model_type="bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size
    )
    fused.save_model_to_file(wide)
    weights = QuantType.QInt8 if torch.cpu._is_vnni_supported() else QuantType.QUInt8
    options = {"DefaultTensorType": TensorProto.FLOAT}  # of what fused nodes give, which no inference of shapes knows
    quantize_dynamic(wide, target / "int8.onnx", per_channel=True, weight_type=weights, extra_options=options)
    Path(plain).unlink()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
