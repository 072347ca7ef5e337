"""sentence-transformers loads: takes the folder of a model, prints its figures as a JSON object on the last line."""

import json
import sys
import time

from sentence_transformers import SentenceTransformer


def load(folder: str) -> dict[str, float]:
    """An encoder from its folder, and then its answer to a first text."""
    started = time.perf_counter()
    encoder = SentenceTransformer(folder, device="cpu")
    loaded = time.perf_counter()
    encoder.encode(["Where does the time go?"])
    return {"load": loaded - started, "ready": time.perf_counter() - started}


if __name__ == "__main__":
    print(json.dumps(load(sys.argv[1])))
