"""What packed weights cost in accuracy: each type of them beside plain float32, with models that have learnt something.

Sentence embeddings are those of MiniLM, of passages of the Python reference; what is said next is that of a GPT-2 which
`examples/train_gpt2` trains in a few minutes, or of ``--gpt2 FOLDER``, on the text that the example holds out.
`nox -s bench -- accuracy` runs it. Figures depend on the machine's kernels, which `tfx-core doctor` names.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from embeddings import checkpoint, reference_passages
from measure import print_limit, print_rows
from race import TYPES
from record import Machine, versions
from torch import Tensor

import tfx_core

EXAMPLE = Path(__file__).parents[1] / "examples" / "train_gpt2"
PLAIN = "float32, plain"
COSINE, LEAST, PERPLEXITY = "mean cosine", "least cosine", "perplexity"
RATIO, FORCED, FREE = "ratio", "same, told", "same, free"
OTHER_VECTORS, WORSE, OTHER_TOKENS = 0.001, 1.01, 0.01
"""What int8 may lose: of the mean cosine, of perplexity and of greedy tokens where both models are told the same."""
PROMPT, TOGETHER = 32, 16
"""Tokens of a prompt, and texts of a batch."""

Figures = Mapping[str, float]
Item = TypeVar("Item")


def main() -> None:
    """Read the options and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="not needed here")
    parser.add_argument("--wheels", help="not needed here")
    parser.add_argument("--gpt2", type=Path, help="a trained GPT-2; by default one is trained")
    parser.add_argument("--minutes", type=float, default=3.0, help="for which one is trained")
    parser.add_argument("--passages", type=int, default=350, help="at most, in even steps from all of them")
    parser.add_argument("--windows", type=int, default=128, help="of held-out text, at most; half of them are prompts")
    parser.add_argument("--types", nargs="+", choices=TYPES, default=TYPES, help="of weights; by default all")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, help="file for the figures, with what this machine is")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tables = {"MiniLM, sentence embeddings": embedding_figures(options.types, options.passages)}
    with tempfile.TemporaryDirectory() as name:
        folder = options.gpt2 or trained(Path(name), options.minutes)
        tables["GPT-2, held-out text"] = language_figures(folder, options.types, options.windows)
    for title, figures in tables.items():
        print(f"\n{title}: each type of frozen weights beside plain float32\n")
        columns = list(next(iter(figures.values())))
        rows = [[kind, *(f"{figures[kind][column]:.5f}" for column in columns)] for kind in figures]
        print_rows([["", *columns], *rows])
    if "int8" in options.types:
        embeddings, language = (figures["int8"] for figures in tables.values())
        print()
        print_limit("int8, cosine: below 1 by", 1 - embeddings[COSINE], OTHER_VECTORS, "{:.5f}".format)
        print_limit("int8, perplexity: ratio", language[RATIO], WORSE, "{:.5f}".format)
        print_limit("int8, greedy tokens: others", 1 - language[FORCED], OTHER_TOKENS, "{:.5f}".format)
    if options.json is not None:
        told = {"machine": asdict(Machine.here()), "versions": versions(sys.executable), "tables": tables}
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def embedding_figures(types: Sequence[str], most: int) -> dict[str, Figures]:
    """Of each type, the cosine of passages' vectors to those of plain float32."""
    passages = evenly(reference_passages(), most)
    expected = vectors(passages, "float32", frozen=False)
    figures: dict[str, Figures] = {}
    for kind in types:
        cosines = (vectors(passages, kind, frozen=True) * expected).sum(-1)
        figures[kind] = {COSINE: float(cosines.mean()), LEAST: float(cosines.min())}
    return figures


def vectors(passages: Sequence[str], kind: str, *, frozen: bool) -> np.ndarray:
    """(N, D) float64, of length 1."""
    encoder = tfx_core.load_encoder(checkpoint(), dtype=kind, frozen=frozen)
    found = encoder.encode(passages).astype(np.float64)
    normalised: np.ndarray = found / np.linalg.norm(found, axis=-1, keepdims=True)
    return normalised


def trained(folder: Path, minutes: float) -> Path:
    """The example's GPT-2."""
    command = (sys.executable, str(EXAMPLE / "train.py"), str(folder / "gpt2"), "--minutes", str(minutes))
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder / "gpt2"


@torch.inference_mode()
def language_figures(folder: Path, types: Sequence[str], most: int) -> dict[str, Figures]:
    """Of each type: perplexity, its ratio to plain float32's, and the share of greedy tokens that are the same.

    Told, a model goes on with what plain float32 has written so far; free, with what it has written itself, where the
    first other token changes all that follow.
    """
    plain = tfx_core.load_model(folder)
    windows = held_out(folder, positions(plain), most)
    prompts = windows[::2, :PROMPT]
    written, base = continued(plain, prompts), perplexity(plain, windows)
    greedy = choices(plain, written)
    figures: dict[str, Figures] = {PLAIN: {PERPLEXITY: base, RATIO: 1.0, FORCED: 1.0, FREE: 1.0}}
    for kind in types:
        model = tfx_core.load_model(folder, dtype=kind, frozen=True)
        found = perplexity(model, windows)
        figures[kind] = {
            PERPLEXITY: found,
            RATIO: found / base,
            FORCED: share(choices(model, written), greedy),
            FREE: share(continued(model, prompts)[:, PROMPT:], written[:, PROMPT:]),
        }
    return figures


def held_out(folder: Path, length: int, most: int) -> Tensor:
    """Windows (N, length) of the example's held-out text, one after another."""
    sys.path.append(str(EXAMPLE))
    texts = import_module("corpus").split()[1]
    rows = tfx_core.load_tokenizer(folder)(texts)["input_ids"]
    ids = torch.from_numpy(np.concatenate([np.asarray(row, dtype=np.int64) for row in rows]))
    return torch.stack(evenly(ids[: len(ids) // length * length].view(-1, length).unbind(), most))


def positions(model: tfx_core.Model) -> int:
    """How many tokens it can read."""
    return int(model.config.to_dict()["n_positions"])


def perplexity(model: tfx_core.Model, windows: Tensor) -> float:
    """Of all tokens of the windows but their first ones."""
    losses = [float(model(input_ids=batch, labels=batch).loss) * len(batch) for batch in torch.split(windows, TOGETHER)]
    return math.exp(sum(losses) / len(windows))


def continued(model: tfx_core.Model, prompts: Tensor) -> Tensor:
    """The prompts and what is likeliest after them, as long as the model can read, (N, S)."""
    length = positions(model)
    options = {"do_sample": False, "min_length": length, "max_length": length}
    return torch.cat([model.generate(input_ids=batch, **options) for batch in torch.split(prompts, TOGETHER)])


def choices(model: tfx_core.Model, written: Tensor) -> Tensor:
    """The likeliest token in the place of each one behind the prompt, (N, S - PROMPT)."""
    batches = torch.split(written, TOGETHER)
    return torch.cat([model(input_ids=batch).logits[:, PROMPT - 1 : -1].argmax(-1) for batch in batches])


def share(found: Tensor, expected: Tensor) -> float:
    """Of equal ones."""
    return float((found == expected).double().mean())


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many, in even steps."""
    return list(items[:: math.ceil(len(items) / most)])


if __name__ == "__main__":
    main()
