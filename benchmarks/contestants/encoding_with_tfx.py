"""tfx encoding: takes the file of the work, a file for what comes out and the type of the weights."""

import torch
from encoding import Encode, Work, compete
from encoding_with_torch import encode_ids_with, states_of

import tfx_core


def prepare(work: Work, kind: str) -> Encode:
    """The model or the encoder, ready."""
    torch.set_num_threads(work.threads)
    if work.written:
        return tfx_core.load_encoder(work.model, dtype=kind, frozen=True).encode
    return encode_ids_with(states_of(tfx_core.load_model(work.model, head="backbone", dtype=kind, frozen=True)))


if __name__ == "__main__":
    compete(prepare)
