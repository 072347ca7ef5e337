"""tfx decoding: takes the file of the work, the file for the tokens and the type of the weights."""

import torch
from decoding import Generate, Work, compete
from decoding_with_torch import generate_with

import tfx_core


def prepare(work: Work, kind: str) -> Generate:
    """The model, ready."""
    torch.set_num_threads(work.threads)
    return generate_with(tfx_core.load_model(work.model, dtype=kind, frozen=True))


if __name__ == "__main__":
    compete(prepare)
