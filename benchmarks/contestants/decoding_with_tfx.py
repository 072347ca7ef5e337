"""tfx decoding: takes the file of the work and the file for the tokens."""

import torch
from decoding import Generate, Work, compete

import tfx_core


def prepare(work: Work) -> Generate:
    """The model, ready."""
    torch.set_num_threads(work.threads)
    model = tfx_core.load_model(work.model).eval()

    def generate(texts: list[list[int]], beams: int, new_tokens: int) -> list[list[int]]:
        ids = torch.tensor(texts)
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


if __name__ == "__main__":
    compete(prepare)
