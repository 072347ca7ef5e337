"""From a shell to GPT-2's first token: whole processes, their time and memory.

`nox -s bench -- cold_start` makes both environments and runs it; `--peers PYTHON` uses an existing one.
"""

import argparse
import json
import string
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path

from measure import Column, Contestant, measure, print_limit, print_table
from race import run_python

TORCH, OURS, INT8, THEIRS = "import torch", "tfx", "tfx int8", "transformers"
PROMPT = "once upon a time there was a fox"
CODE = f"""
from transformers import pipeline
import sys
write = pipeline("text-generation", model=sys.argv[1], device="cpu")
print(write("{PROMPT}", max_new_tokens=1, do_sample=False)[0]["generated_text"])
"""
END = "<|endoftext|>"


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", required=True, help="Python of the environment of benchmarks/requirements.txt")
    parser.add_argument("--wheels", help="not needed here")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # in a process of its own: the system counts what this one holds as held by the contestants
        run_python(sys.executable, __file__, "save", folder)
        results = measure(contestants(arguments.peers, folder), rounds=arguments.rounds)
    columns = [Column("wall", "s"), Column("peak", "MB")]
    print_table("GPT-2, 124M random weights: one new token of a new process", results, columns, ours=OURS)
    print()
    for ours in (OURS, INT8):
        ratio = results.ratio(ours, "wall", THEIRS)
        print_limit(f"time of {ours} to that of {THEIRS}", ratio, 1 / 2, lambda value: f"{value:.2f}")


def contestants(peers: str, folder: str) -> list[Contestant]:
    """Who begins, and the least that all of them need."""
    command = (str(Path(sys.executable).with_name("tfx-core")), "run", "text-generation", "--model", folder)
    ours = (*command, "--max-new-tokens", "1", PROMPT)
    return [
        Contestant(TORCH, (sys.executable, "-c", "import torch")),
        Contestant(OURS, ours),
        Contestant(INT8, (*ours, "--dtype", "int8")),
        Contestant(THEIRS, (peers, "-c", CODE, folder)),
    ]


def _save(folder: Path) -> None:
    import tfx_core

    tfx_core.new_model("gpt2", head="causal-lm", seed=0).save_pretrained(folder)
    _save_tokenizer(folder)


def _save_tokenizer(folder: Path) -> None:
    """Byte-level BPE of GPT-2's size, whose merges are any."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    merges = list(islice(_merges(), 50_000))
    tokens = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *map("".join, merges), END]
    made = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([END])
    made.save(str(folder / "tokenizer.json"))
    told = {"tokenizer_class": "GPT2Tokenizer", **dict.fromkeys(("bos_token", "eos_token", "unk_token"), END)}
    (folder / "tokenizer_config.json").write_text(json.dumps(told), encoding="utf-8")


def _merges() -> Iterator[tuple[str, str]]:
    letters = string.ascii_lowercase
    pairs = ["".join(each) for each in product(letters, letters)]
    yield from product(letters, letters)
    yield from product("\u0120", pairs)  # what stands for a space
    yield from product(pairs, pairs)


if __name__ == "__main__":
    if sys.argv[1:2] == ["save"]:
        _save(Path(sys.argv[2]))
    else:
        main()
