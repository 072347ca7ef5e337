"""transformers at work: takes WORK ARGUMENT…, prints its figures as a JSON object on the last line."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

BATCH = 32
MAX_TOKENS = 256  # what the model's sentence-transformers settings say


def load(folder: str) -> dict[str, float]:
    """A model from its folder, and then its answer to a first text."""
    started = time.perf_counter()
    model = AutoModel.from_pretrained(folder)
    loaded = time.perf_counter()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        model(**tokenizer(["Where does the time go?"], return_tensors="pt"))
    return {"load": loaded - started, "ready": time.perf_counter() - started}


def encode(folder: str, texts: str, vectors: str) -> dict[str, float]:
    """A file of texts to a file of vectors, the way its model card says: padded batches, the mean of real tokens."""
    passages = json.loads(Path(texts).read_text(encoding="utf-8"))
    started = time.perf_counter()
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)

    def vectors_of(batch: list[str]) -> torch.Tensor:
        inputs = tokenizer(batch, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        mask = inputs["attention_mask"][:, :, None].float()  # (B, S, 1)
        states = model(**inputs).last_hidden_state  # (B, S, D)
        means = (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(means, dim=-1)

    with torch.inference_mode():
        vectors_of(passages[:1])
        ready = time.perf_counter()
        parts = [vectors_of(passages[start : start + BATCH]) for start in range(0, len(passages), BATCH)]
        finished = time.perf_counter()
    np.save(vectors, torch.cat(parts).numpy())
    return {"ready": ready - started, "encode": finished - ready}


if __name__ == "__main__":
    work, *arguments = sys.argv[1:]
    print(json.dumps(load(*arguments) if work == "load" else encode(*arguments)))
