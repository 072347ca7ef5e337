"""tfx loads: takes the folder of a model, prints its figures as a JSON object on the last line."""

import json
import sys
import time

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


if __name__ == "__main__":
    print(json.dumps(load(sys.argv[1])))
