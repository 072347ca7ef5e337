"""tfx evaluating a language model: takes METHOD FOLDER LENGTH TOKENS TEXT THREADS, prints seconds per token.

Either way a token is predicted from as many tokens before it as attention is long.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

import tfx_core


def seconds_per_token(method: str, folder: str, length: int, count: int, text: str) -> float:
    """The time of each of ``count`` tokens after the first ``length``, which have fewer before them."""
    by_window = method == "window"
    # windows have no memory; by memory, segments are as long as it is
    own: dict[str, Any] = {"mem_len": 0, "same_length": False} if by_window else {"mem_len": length}
    options: dict[str, Any] = {"window": length, "stride": 1} if by_window else {"segment": length}
    model = tfx_core.load_model(folder, **own)
    task = tfx_core.pipeline("perplexity", model=model, tokenizer=folder, method=method, begin_token=False, **options)

    def seconds(tokens: int) -> float:
        started = time.perf_counter()
        # the first token is predicted from nothing, which does not count
        found = task(text[: tokens + 1])["tokens"]
        if found != tokens:
            raise RuntimeError(f"{found} tokens were predicted, not {tokens}")
        return time.perf_counter() - started

    seconds(length)  # warms up
    return (seconds(length + count) - seconds(length)) / count


if __name__ == "__main__":
    method, folder, length, count, text, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    content = Path(text).read_text(encoding="ascii")
    print(json.dumps({"token": seconds_per_token(method, folder, int(length), int(count), content)}))
