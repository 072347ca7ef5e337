"""sentence-transformers encoding: takes the file of the work, a file for what comes out and the type of the weights.

Its backend for weights of 8 bits, ONNX, is left to optimum-onnx, whose releases do not run with transformers 5. What it
does is done here: ONNX Runtime stands in for the model, and all around it stays.
"""

from typing import Any

import torch
from encoding import Encode, Work, compete
from encoding_with_onnxruntime import model_of
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn


class OnnxModel(nn.Module):
    """ONNX Runtime's model as the encoder calls its own."""

    def __init__(self, work: Work, kind: str, config: Any) -> None:
        super().__init__()
        self.model, self.config = model_of(work, kind), config

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **_: Any) -> dict[str, Tensor]:
        """States, by the name that the encoder asks for."""
        return {"last_hidden_state": self.model(input_ids, attention_mask)}


def prepare(work: Work, kind: str) -> Encode:
    """The encoder, ready."""
    torch.set_num_threads(work.threads)
    if kind != "int8":
        encoder = SentenceTransformer(work.model, device="cpu", model_kwargs={"dtype": kind})
    else:
        encoder = SentenceTransformer(work.model, device="cpu")
        encoder[0].model = OnnxModel(work, kind, encoder[0].model.config)
    return lambda texts: encoder.encode(texts, show_progress_bar=False)


if __name__ == "__main__":
    compete(prepare)
