"""transformers decoding: takes the file of the work, the file for the tokens and the type of the weights."""

import torch
from decoding import Generate, Work, compete
from decoding_with_torch import generate_with
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM


def prepare(work: Work, kind: str) -> Generate:
    """The model, ready."""
    torch.set_num_threads(work.threads)
    auto = AutoModelForSeq2SeqLM if work.encoder_decoder else AutoModelForCausalLM
    return generate_with(auto.from_pretrained(work.model, dtype=getattr(torch, kind)).eval())


if __name__ == "__main__":
    compete(prepare)
