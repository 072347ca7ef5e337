"""ONNX Runtime encoding: takes the file of the work, a file for what comes out and the type of the weights."""

from pathlib import Path

import torch
from encoding import Encode, Work, compete
from encoding_with_torch import Model, encode_ids_with, encode_texts_with
from onnxruntime import InferenceSession, SessionOptions
from torch import Tensor


def model_of(work: Work, kind: str) -> Model:
    """The model of `to_onnx.py`, ready."""
    options = SessionOptions()
    options.intra_op_num_threads = work.threads
    file = Path(work.onnx) / f"{kind}.onnx"
    session = InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def call(ids: Tensor, mask: Tensor) -> Tensor:
        (states,) = session.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
        return torch.from_numpy(states)

    return call


def prepare(work: Work, kind: str) -> Encode:
    """The model, ready."""
    torch.set_num_threads(work.threads)
    model = model_of(work, kind)
    return encode_texts_with(model, work.model) if work.written else encode_ids_with(model)


if __name__ == "__main__":
    compete(prepare)
