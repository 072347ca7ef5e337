"""One forward of every encoder at its base size, beside transformers in the same process and in turns.

`nox -s bench -- encoders` makes both environments and runs it; `--peers PYTHON` uses an existing one. Without it both
libraries have to be installed where it runs, as for a GPU: `python benchmarks/encoders.py --device cuda`. `--tiny`
tries it with small models.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from measure import print_rows

BASE: Mapping[str, Mapping[str, Any]] = {
    "albert": {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072},  # base v2
    "electra": {"embedding_size": 768, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072},
    "flaubert": {"hidden_size": 768, "num_attention_heads": 12, "vocab_size": 68729},  # base cased
    "roberta": {"vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1},
    "xlm-roberta": {"vocab_size": 250002, "max_position_embeddings": 514, "type_vocab_size": 1},
}
"""What a base model has beside the defaults of its config; those of XLM are the English one's, width 2048."""
TINY = {
    "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128, "vocab_size": 500,
}  # fmt: skip
BATCH, LENGTH = 8, 128
LENGTHS = range(16, LENGTH + 1, (LENGTH - 16) // (BATCH - 1))
"""Of padded rows."""
AT_LEAST = 0.1
"""Seconds for which a call is repeated in each round."""


@dataclass(frozen=True)
class Figure:
    """Typical times of one forward, in seconds, and the typical ratio of theirs to ours in a round."""

    model: str
    dtype: str
    rows: str
    ours: float
    theirs: float
    ratio: float


def main() -> None:
    """Measure here, or in the environment of ``--peers`` with our packages on its path; print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="Python of the environment of benchmarks/requirements.txt")
    parser.add_argument("--wheels", help="not needed here")
    parser.add_argument("--models", nargs="+", help="by default all encoders that are installed")
    parser.add_argument("--dtype", nargs="+", choices=("float32", "bfloat16"), default=("float32", "bfloat16"))
    parser.add_argument("--rows", nargs="+", choices=("full", "padded"), default=("full", "padded"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--tiny", action="store_true", help="with two small layers")
    parser.add_argument("--json", type=Path, help="file to write the figures into")
    arguments = parser.parse_args()
    if arguments.peers is not None:
        run_with(arguments.peers, "tfx-encoders")
        return
    import torch

    torch.set_num_threads(arguments.threads)
    figures: list[Figure] = []
    for model in arguments.models or encoders():
        figures += figures_of(model, arguments)
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print_table(figures)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(each) for each in figures], indent=1), encoding="utf-8")


def run_with(python: str, *families: str) -> None:
    """Run the script that was started by another Python, for which the core and these packages are installed."""
    with tempfile.TemporaryDirectory() as name:
        for each in ("tfx-core", *families, "pluggy"):
            lend(each, Path(name))
        given = iter(sys.argv[1:])
        others = [each for each in given if each != "--peers" or not next(given)]
        environment = {**os.environ, "PYTHONPATH": name, "HF_HUB_OFFLINE": "1"}
        subprocess.run((python, sys.argv[0], *others), check=True, env=environment)


def lend(name: str, folder: Path) -> None:
    """Link the package of a distribution that is installed here, and what it says of itself, into a folder."""
    package, installed = name.replace("-", "_"), distribution(name)
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    information = f"{package}-{installed.version}.dist-info"
    (folder / package).symlink_to(Path(spec.origin).parent)
    (folder / information).symlink_to(str(installed.locate_file(information)))


def encoders() -> list[str]:
    """Names of the installed architectures of tfx-encoders."""
    from tfx_core.plugins import registry

    return [spec.name for spec in registry.architectures() if spec.target.startswith("tfx_encoders.")]


def figures_of(name: str, arguments: argparse.Namespace) -> Iterator[Figure]:
    """All that is asked of one model, whose weights are random and the same on both sides."""
    import torch

    with saved(name, tiny=arguments.tiny) as folder:
        both = load_both(folder, arguments.device)
    batches = {rows: batch(both[0].config.vocab_size, rows, arguments.device) for rows in ("full", *arguments.rows)}
    for dtype in arguments.dtype:
        for model in both:
            model.to(getattr(torch, dtype))
        with torch.no_grad():
            check(*both, batches["full"], f"{name}, {dtype}")
            for rows in arguments.rows:
                times = in_turns([call(model, batches[rows], arguments.device) for model in both], arguments.rounds)
                ours, theirs = (median(each) for each in zip(*times, strict=True))
                yield Figure(name, dtype, rows, ours, theirs, median(other / own for own, other in times))


@contextmanager
def saved(name: str, *, tiny: bool) -> Iterator[str]:
    """A folder with a random model of the base size."""
    import tfx_core
    from tfx_core.model import load_architecture

    absent = load_architecture(name).config.absent
    small = {key: value for key, value in TINY.items() if tiny and key not in absent}
    model = tfx_core.new_model(name, seed=0, **{**BASE.get(name, {}), **small})
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        del model
        yield folder


def load_both(folder: str, device: str) -> tuple[Any, Any]:
    """Our model and the reference's."""
    from transformers import AutoModel

    import tfx_core

    theirs = AutoModel.from_pretrained(folder).to(device).eval()
    return tfx_core.load_model(folder).to(device).eval(), theirs


def batch(vocabulary: int, rows: str, device: str) -> dict[str, Any]:
    """Texts of random ids, of one length or of several."""
    import torch

    ids = torch.randint(5, vocabulary, (BATCH, LENGTH), generator=torch.Generator().manual_seed(1))
    lengths = torch.tensor(LENGTHS if rows == "padded" else [LENGTH] * BATCH)
    mask = (torch.arange(LENGTH) < lengths[:, None]).long()
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device)}


def check(ours: Any, theirs: Any, inputs: Mapping[str, Any], name: str) -> None:
    """Raise `RuntimeError` where the states of whole rows point elsewhere: padding changes those of some references."""
    import torch

    one, other = (model(**inputs).last_hidden_state.float() for model in (ours, theirs))
    least = float(torch.nn.functional.cosine_similarity(one, other, dim=-1).min())
    if least < 0.99:
        raise RuntimeError(f"{name}: both sides differ, the cosine of a token's states is {least:.4f}")


def call(model: Any, inputs: Mapping[str, Any], device: str) -> Callable[[], float]:
    """What measures a forward, in seconds."""
    import torch

    synchronise: Callable[[], None] = torch.cuda.synchronize if device.startswith("cuda") else lambda: None

    def forward() -> float:
        synchronise()
        started = time.perf_counter()
        model(**inputs)
        synchronise()
        return time.perf_counter() - started

    return forward


def in_turns(calls: Sequence[Callable[[], float]], rounds: int) -> list[list[float]]:
    """For each round the typical time of each call; who is first turns."""
    counts, found = [repeats(each) for each in calls], []
    for round_ in range(rounds):
        times = [0.0] * len(calls)
        for turn in range(len(calls)):
            place = (round_ + turn) % len(calls)
            times[place] = median(calls[place]() for _ in range(counts[place]))
        found.append(times)
    return found


def repeats(forward: Callable[[], float]) -> int:
    """How often to call it in a round; it is warm then."""
    first = forward()
    return 1 if first > 1 else max(1, int(AT_LEAST / min(first, forward())))


def print_table(figures: Sequence[Figure]) -> None:
    """Milliseconds, and how many times as fast ours is."""
    print(f"\nOne forward, {BATCH} x {LENGTH} tokens; ratio: time of transformers to that of tfx\n")
    rows: list[tuple[str, ...]] = [("", "type", "rows", "tfx, ms", "transformers, ms", "ratio")]
    for each in figures:
        times = (f"{each.ours * 1000:.1f}", f"{each.theirs * 1000:.1f}")
        rows.append((each.model, each.dtype, each.rows, *times, f"{each.ratio:.2f}"))
    print_rows(rows)
    slower = [f"{each.model} ({each.dtype}, {each.rows})" for each in figures if each.ratio < 1]
    print(f"\nslower than transformers: {', '.join(slower) or 'none'}")


if __name__ == "__main__":
    main()
