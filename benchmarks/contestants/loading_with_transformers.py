"""transformers loads: takes the folder of a model, prints its figures as a JSON object on the last line."""

import json
import sys
import time

import torch
from transformers import AutoModel, AutoTokenizer


def load(folder: str) -> dict[str, float]:
    """A model from its folder, and then its answer to a first text."""
    started = time.perf_counter()
    model = AutoModel.from_pretrained(folder)
    loaded = time.perf_counter()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        model(**tokenizer(["Where does the time go?"], return_tensors="pt"))
    return {"load": loaded - started, "ready": time.perf_counter() - started}


if __name__ == "__main__":
    print(json.dumps(load(sys.argv[1])))
