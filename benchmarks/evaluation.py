"""Transformer-XL evaluated by memory beside a window that slides token by token, as in Dai et al. 2019, §4.5.

Both predict every token from as many before it; the window reads them all again, the memory holds their states. The
paper measured 363 times at an attention length of 800 and 773 times at 1,800, of a larger model on a GPU.

`nox -s bench -- evaluation` runs it.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import Contestant, measure, print_rows

CONTESTANTS = Path(__file__).parent / "contestants"
LENGTHS = (800, 1800)
SHAPE: dict[str, Any] = {"n_layer": 4, "d_model": 256, "d_embed": 256, "n_head": 4, "d_head": 64, "d_inner": 1024}


def main() -> None:
    """Print the figures of each attention length."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="not needed here: tfx runs against itself")
    parser.add_argument("--wheels", help="not needed here")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--windows", type=int, default=32, help="tokens predicted by windows")
    parser.add_argument("--segments", type=int, default=4, help="segments predicted by memory")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_model(folder)
        text = folder / "text"  # any long one
        text.write_text(Path(argparse.__file__).read_text(encoding="utf-8").encode("ascii", "ignore").decode())
        rows: list[tuple[str, ...]] = [
            ("attention length", "window, ms a token", "memory, ms a token", "window / memory")
        ]
        for length in LENGTHS:
            counts = {"window": arguments.windows, "memory": arguments.segments * length}
            evaluations = []
            for method, count in counts.items():
                script = str(CONTESTANTS / "evaluation_with_tfx.py")
                works = (method, name, str(length), str(count), str(text), str(arguments.threads))
                evaluations.append(Contestant(method, (sys.executable, script, *works)))
            results = measure(evaluations, rounds=arguments.rounds, warm_up=False)
            times = [f"{results.median(method, 'token') * 1000:.3f}" for method in counts]
            rows.append((str(length), *times, f"{results.ratio('window', 'token', 'memory'):.0f}"))
        print("\nTransformer-XL of 4 layers, width 256, evaluated by a sliding window and by memory\n")
        print_rows(rows)


def save_model(folder: Path) -> None:
    """Random weights, and a vocabulary of the 256 bytes."""
    from tokenizers import ByteLevelBPETokenizer

    import tfx_core

    trainer = ByteLevelBPETokenizer()
    trainer.train_from_iterator([], vocab_size=256, show_progress=False)
    trainer.save_model(str(folder))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer"}))
    model = tfx_core.new_model("transfo-xl", head="causal-lm", seed=0, vocab_size=256, cutoffs=(), div_val=1, **SHAPE)
    model.save_pretrained(folder)


if __name__ == "__main__":
    main()
