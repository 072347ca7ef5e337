"""Decoding with a torch model that has transformers' ``generate``, as tfx's have."""

from typing import Any

import torch
from decoding import Generate


def generate_with(model: Any) -> Generate:
    """Its greedy search or beams, without a text that ends early."""

    def generate(texts: list[list[int]], beams: int, new_tokens: int) -> list[list[int]]:
        ids = torch.tensor(texts)
        with torch.inference_mode():
            output = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                num_beams=beams,
                do_sample=False,
                min_new_tokens=new_tokens,
                max_new_tokens=new_tokens,
            )
        new: list[list[int]] = output[:, -new_tokens:].tolist()
        return new

    return generate
