"""tfx at work: takes WORK ARGUMENT…, prints its figures as a JSON object on the last line."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

import tfx_core


def load(folder: str) -> dict[str, float]:
    """A model from its folder, and then its answer to a first text."""
    started = time.perf_counter()
    model = tfx_core.load_model(folder, head="backbone")
    loaded = time.perf_counter()
    tokenizer = tfx_core.load_tokenizer(folder)
    with torch.inference_mode():
        model(**tokenizer(["Where does the time go?"], return_tensors="pt"))
    return {"load": loaded - started, "ready": time.perf_counter() - started}


def encode(folder: str, texts: str, vectors: str) -> dict[str, float]:
    """A file of texts to a file of vectors."""
    passages = json.loads(Path(texts).read_text(encoding="utf-8"))
    started = time.perf_counter()
    encoder = tfx_core.load_encoder(folder)
    encoder.encode(passages[:1])
    ready = time.perf_counter()
    encoded = encoder.encode(passages)
    finished = time.perf_counter()
    np.save(vectors, encoded)
    return {"ready": ready - started, "encode": finished - ready}


if __name__ == "__main__":
    work, *arguments = sys.argv[1:]
    print(json.dumps(load(*arguments) if work == "load" else encode(*arguments)))
