"""Time and memory by length: patterns of attention, Longformer and Reformer, beside transformers and full attention.

`nox -s bench -- lengths` makes both environments and runs it; `--peers PYTHON` uses an existing one, without which
transformers has to be installed where it runs, as for a GPU: `python benchmarks/lengths.py --device cuda`. `--only`
picks parts, `--small` tries all of them with small models.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from measure import Column, Contestant, Results, measure, print_limit, print_rows, print_table

CONTESTANTS = Path(__file__).parent / "contestants"
sys.path.append(str(CONTESTANTS))

from forward import Call  # noqa: E402  # what the contestants import as well

OURS, HALF, FULL = "tfx", "tfx, bfloat16", "tfx, full attention"
THEIRS, THEIR_HALF, THEIR_FULL = "transformers", "transformers, bfloat16", "transformers, full attention"
COLUMNS = (Column("seconds", "ms"), Column("held", "MB"))
LONG = 4096
"""Tokens for which there is a goal, and beyond which half precision is left out."""
PATTERNS = ("full", "window(256)", "global(256, first=1)", "chunks(64, before=1, after=1)", "lsh(64)")

BASE = {"vocab_size": 50265, "type_vocab_size": 1, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
SMALL = {"vocab_size": 500, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
KINDS = ("local", "lsh")


@dataclass(frozen=True)
class Model:
    """A model of random weights, by what it has beside its config's defaults."""

    model_type: str
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """Who calls which model, and how."""

    name: str
    library: str
    model: Model
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Bench:
    """What all parts share, and what they have found."""

    arguments: argparse.Namespace
    folder: Path
    found: dict[str, dict[str, Sequence[Mapping[str, float]]]] = field(default_factory=dict)
    saved: dict[str, str] = field(default_factory=dict)
    """Config -> folder with such a model."""

    @property
    def small(self) -> bool:
        """Whether everything is only tried."""
        return bool(self.arguments.small)

    def race(
        self, title: str, entries: Sequence[Entry], batch: int, length: int, *, many_rounds: bool = False
    ) -> Results:
        """Measure the entries, those of transformers where it is there, and print the table."""
        runs = [each for each in entries if each.library == "tfx" or self.arguments.peers]
        contestants = [self._contestant(each, batch, length) for each in runs]
        rounds = self.arguments.rounds if many_rounds else 1
        results = measure(contestants, rounds=rounds, warm_up=False)
        self._check(runs)
        print_table(title, results, COLUMNS, ours=OURS)
        self.found[title] = {name: [*rounds] for name, rounds in results.rounds.items()}
        return results

    def _contestant(self, entry: Entry, batch: int, length: int) -> Contestant:
        arguments = self.arguments
        settings = {"device": arguments.device, "threads": arguments.threads, **entry.settings}
        call = Call(self._saved(entry.model), batch, length, **settings)
        python = sys.executable if entry.library == "tfx" else arguments.peers
        script = str(CONTESTANTS / f"forward_with_{entry.library}.py")
        return Contestant(entry.name, (python, script, call.text(), str(self._states(entry.name))))

    def _states(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _saved(self, model: Model) -> str:
        key = json.dumps([model.model_type, dict(model.config)])
        if key not in self.saved:
            self.saved[key] = str(self.folder / str(len(self.saved)))
            # in a process of its own: the system counts what this one holds as held by the contestants
            subprocess.run((sys.executable, __file__, "save", key, self.saved[key]), check=True)
        return self.saved[key]

    def _check(self, entries: Sequence[Entry]) -> None:
        """Raise `RuntimeError` where two libraries make different states of the same model; dropout makes them so."""
        ours = {each.model.model_type: each.name for each in entries if each.library == "tfx"}
        for each in entries:
            if each.library != "tfx" and not each.settings.get("train"):
                cosine = _cosine(*(json.loads(self._states(name).read_text(encoding="utf-8"))
                                   for name in (ours[each.model.model_type], each.name)))  # fmt: skip
                if cosine < 0.98:
                    raise RuntimeError(f"{each.name}: its states are not ours, their cosine is {cosine:.3f}")


def main() -> None:
    """Measure the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="Python of the environment of benchmarks/requirements.txt")
    parser.add_argument("--wheels", help="not needed here")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[*PARTS], help=",".join(PARTS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3, help="where a goal is measured; elsewhere it is one")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--small", action="store_true", help="with small models and short texts")
    parser.add_argument("--json", type=Path, help="file to write the figures into")
    arguments = parser.parse_args()
    if unknown := {*arguments.only} - {*PARTS}:
        parser.error(f"--only: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if arguments.peers is None and find_spec("transformers") is not None:
        arguments.peers = sys.executable
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments, Path(folder))
        for part in arguments.only:
            PARTS[part](bench)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(bench.found, indent=1), encoding="utf-8")


def patterns(bench: Bench) -> None:
    """Attention alone, by pattern."""
    lengths = "256,512" if bench.small else "1024,2048,4096,8192,16384"
    command = (sys.executable, "-m", "tfx_core", "attention-cost", *PATTERNS, "--device", bench.arguments.device)
    options = ("--length", lengths, "--rounds", str(bench.arguments.rounds), "--json")
    environment = {**os.environ, "OMP_NUM_THREADS": str(bench.arguments.threads)}
    done = subprocess.run((*command, *options), stdout=subprocess.PIPE, text=True, check=True, env=environment)
    costs = [json.loads(line) for line in done.stdout.splitlines()]
    print("\nAttention of 12 heads of 64, of a text; times full attention\n")
    print_rows([
        ("", "tokens", "time", "memory", "multiplications", "time of full"),
        *((each["pattern"], str(each["length"]), _milliseconds(each["seconds"]), f"{each['peak'] / 1e6:.0f} MB",
           f"{(each['multiplications'] or 0) / 1e9:.2f} G", f"{each['times_full'] or math.nan:.2f}") for each in costs),
    ])  # fmt: skip
    bench.found["patterns"] = {"costs": costs}


def longformer(bench: Bench) -> None:
    """Longformer-base, one text, beside full attention of the same size."""
    lengths = (256, 512) if bench.small else (1024, 2048, 4096, 8192, 16384)
    sizes = SMALL if bench.small else {}
    long = Model("longformer", {**BASE, **sizes, "attention_window": 32 if bench.small else 512,
                                "max_position_embeddings": max(lengths) + 2})  # fmt: skip
    full = Model("roberta", {**BASE, **sizes, "max_position_embeddings": max(lengths) + 2})
    first, half = {"first_global": True}, {"first_global": True, "dtype": "bfloat16"}
    entries = (
        Entry(OURS, "tfx", long, first),
        Entry(HALF, "tfx", long, half),
        Entry(FULL, "tfx", full),
        Entry(THEIRS, "transformers", long, first),
        Entry(THEIR_HALF, "transformers", long, half),
    )
    results = {}
    for length in lengths:
        some = [each for each in entries if length <= LONG or each.settings is not half]
        title = f"Longformer-base, 1 x {length} tokens"
        results[length] = bench.race(title, some, 1, length, many_rounds=length == LONG)
        _longformer_goals(results[length], length)
    print_growth("Longformer-base: what twice the length costs (linear: 2)", results)


def _longformer_goals(results: Results, length: int) -> None:
    for ours, theirs, limit in ((OURS, THEIRS, 1 / 4), (HALF, THEIR_HALF, 1 / 2)):
        if theirs in results.rounds:
            _goal(f"memory of {ours} to that of {theirs}", results.ratio(ours, "held", theirs), 1.0)
            if length == LONG:
                _goal(f"time of {ours} to that of {theirs}", results.ratio(ours, "seconds", theirs), limit)


def short(bench: Bench) -> None:
    """Many short texts: no longer than the window."""
    sizes = SMALL if bench.small else {}
    long = Model("longformer", {**BASE, **sizes, "attention_window": 512, "max_position_embeddings": 4098})
    full = Model("roberta", {**BASE, **sizes, "max_position_embeddings": 514})
    entries = (
        Entry(OURS, "tfx", long, {"first_global": True}),
        Entry(FULL, "tfx", full),
        Entry(THEIRS, "transformers", long, {"first_global": True}),
        Entry(THEIR_FULL, "transformers", full),
    )
    results = bench.race(
        "Longformer-base, 8 x 64 tokens; full attention is RoBERTa's", entries, 8, 64, many_rounds=True
    )
    _goal("time of Longformer to RoBERTa's", results.ratio(OURS, "seconds", FULL), 1.2)


def reformer(bench: Bench) -> None:
    """A small Reformer: by length, at a fixed number of tokens, and by depth while it trains."""
    lengths = (256, 512) if bench.small else (1024, 4096, 16384, 65536)
    both = [(OURS, "tfx"), (THEIRS, "transformers")]

    def entries(length: int, layers: int = 6, **settings: Any) -> list[Entry]:
        model = _reformer(length, layers)
        return [Entry(name, library, model, settings) for name, library in both]

    by_length, by_text, by_depth = {}, {}, {}
    for length in lengths:
        by_length[length] = bench.race(f"Reformer of 6 layers, 1 x {length} tokens", entries(length), 1, length)
    print_growth("Reformer: what a longer text costs (linear: as many times as it is longer)", by_length)
    tokens = lengths[-1] // 4
    for length in (tokens // 16, tokens // 4, tokens) if not bench.small else (64, 128):
        batch = tokens // length
        by_text[length] = bench.race(f"Reformer, {tokens} tokens as {batch} x {length}", entries(length), batch, length)
    print_growth("Reformer: what longer texts cost with as many tokens (flat: 1)", by_text)
    length = lengths[1]
    for layers in (2, 4, 8):
        title = f"Reformer of {layers} layers, training, 1 x {length} tokens"
        by_depth[layers] = bench.race(title, entries(length, layers, train=True), 1, length)
    print_growth("Reformer: what twice the layers cost in training (flat memory: 1)", by_depth)


def _reformer(length: int, layers: int) -> Model:
    """With positions for this length exactly, without which the reference does not train."""
    config = {
        "attn_layers": [KINDS[number % 2] for number in range(layers)],
        "axial_pos_shape": [64, length // 64],
        "hash_seed": 0,
        "is_decoder": False,
        "max_position_embeddings": length,
        "num_attention_heads": 4,
    }
    return Model("reformer", config)


PARTS = {"patterns": patterns, "longformer": longformer, "short": short, "reformer": reformer}


def print_growth(title: str, results: Mapping[int, Results]) -> None:
    """For each contestant how many times its figures are those of the size before."""
    print(f"\n{title}\n")
    rows = [("", "from - to", *(column.figure for column in COLUMNS))]
    for before, after in pairwise(results):
        for name in (each for each in results[before].rounds if each in results[after].rounds):
            ratios = (
                results[after].median(name, each.figure) / max(results[before].median(name, each.figure), 1e-9)
                for each in COLUMNS
            )
            rows.append((name, f"{before} - {after}", *(f"{ratio:.2f}" for ratio in ratios)))
    print_rows(rows)


def _goal(what: str, ratio: float, limit: float) -> None:
    print_limit(what, ratio, limit, lambda value: f"{value:.2f}")


def _milliseconds(seconds: float | None) -> str:
    return "more memory than there is" if seconds is None else f"{seconds * 1000:.1f} ms"


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    products = sum(a * b for a, b in zip(one, other, strict=True))
    return products / math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))


def _save(key: str, folder: str) -> None:
    import tfx_core

    model_type, config = json.loads(key)
    tfx_core.new_model(model_type, seed=0, **config).save_pretrained(folder)


if __name__ == "__main__":
    if sys.argv[1:2] == ["save"]:
        _save(*sys.argv[2:])
    else:
        main()
