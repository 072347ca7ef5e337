"""transformers encoding: takes the file of the work, a file for what comes out and the type of the weights."""

import torch
from encoding import Encode, Work, compete
from encoding_with_torch import encode_ids_with, encode_texts_with, states_of
from transformers import AutoModel


def prepare(work: Work, kind: str) -> Encode:
    """The model, ready."""
    torch.set_num_threads(work.threads)
    model = states_of(AutoModel.from_pretrained(work.model, dtype=getattr(torch, kind)).eval())
    return encode_texts_with(model, work.model) if work.written else encode_ids_with(model)


if __name__ == "__main__":
    compete(prepare)
