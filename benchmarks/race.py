"""Decoding beside other libraries: random weights of a real model's shape, the same texts, as many new tokens for all.

Each library runs in every type of weights that it has. What matters is time, but it only counts as the same work if the
tokens agree, so how many of them do is printed too: of the same type all should, of rounded random weights few can.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measure import Column, Contestant, Results, measure, print_table

CONTESTANTS = Path(__file__).parent / "contestants"
OURS = "tfx"
THEIRS = ("transformers", "ctranslate2")
TYPES = {
    OURS: ("float32", "bfloat16", "int8"),
    "transformers": ("float32", "bfloat16"),
    "ctranslate2": ("float32", "int8"),
}
"""Of weights, that a library computes with on a CPU."""
sys.path.append(str(CONTESTANTS))

from decoding import Work  # noqa: E402  # what the contestants import as well


@dataclass(frozen=True)
class Race:
    """A model of random weights and what is asked of it."""

    title: str
    model_type: str
    head: str
    config: Mapping[str, Any]
    length: int
    """Tokens of each prompt or source."""
    new_tokens: int
    settings: Mapping[str, tuple[int, int]]
    """Name -> batch, number of beams."""
    generation: Mapping[str, Any] = field(default_factory=dict)
    """What the model's ``generation_config.json`` says beside its special tokens."""
    theirs: tuple[str, ...] = THEIRS
    """The libraries that know the model."""


def command(description: str | None, *races: Race) -> None:
    """Read the options of a script of such races, and print all figures."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--peers", required=True, help="Python of the environment of benchmarks/requirements.txt")
    parser.add_argument("--wheels", help="not needed here")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="by default as many as there are cores")
    known = sorted({race.model_type for race in races})
    parser.add_argument("--only", nargs="+", choices=known, default=known, help="the models to measure; by default all")
    kinds = TYPES[OURS]
    parser.add_argument("--types", nargs="+", choices=kinds, default=kinds, help="of weights; by default all")
    arguments = parser.parse_args()
    for race in (each for each in races if each.model_type in arguments.only):
        run(race, arguments.peers, arguments.types, rounds=arguments.rounds, threads=arguments.threads)


def run(race: Race, peers: str, types: Sequence[str], *, rounds: int, threads: int | None = None) -> None:
    """Measure, and print a table for each type of our weights."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # in processes of their own: the system counts what this one holds as held by the contestants
        _python(sys.executable, __file__, *_model_of(race), str(folder))
        if "ctranslate2" in race.theirs:
            _python(peers, str(CONTESTANTS / "to_ctranslate2.py"), str(folder), str(folder / "ctranslate2"))
        work = Work(
            model=str(folder),
            encoder_decoder=race.head == "conditional-generation",
            threads=threads or os.cpu_count() or 1,
            texts=_texts(max(batch for batch, _ in race.settings.values()), race.length),
            new_tokens=race.new_tokens,
            settings=dict(race.settings),
        )
        work.write(folder / "work.json")
        contestants = [
            _contestant(library, kind, peers, folder)
            for library in (OURS, *race.theirs)
            for kind in TYPES[library]
            if kind in types
        ]
        results = measure(contestants, rounds=rounds, warm_up=False)
        columns = [*(Column(name, "/s") for name in race.settings), Column("peak", "MB")]
        for kind in types:
            print_table(race.title, results, columns, ours=f"{OURS} {kind}")
        _print_agreement(results, folder)


def _contestant(library: str, kind: str, peers: str, folder: Path) -> Contestant:
    python = sys.executable if library == OURS else peers
    script, name = str(CONTESTANTS / f"decoding_with_{library}.py"), f"{library} {kind}"
    return Contestant(name, (python, script, str(folder / "work.json"), str(folder / f"{name}.tokens"), kind))


def _texts(count: int, length: int) -> list[list[int]]:
    """Some token ids, other than the special ones, which are among the first and last of a vocabulary."""
    return [[100 + (row * length + column) * 7919 % 30000 for column in range(length)] for row in range(count)]


def _print_agreement(results: Results, folder: Path) -> None:
    tokens = {name: json.loads((folder / f"{name}.tokens").read_text(encoding="utf-8")) for name in results.rounds}
    first, *others = tokens
    print()
    for name in others:
        shares = []
        for setting, ours in tokens[first].items():
            pairs = [pair for rows in zip(ours, tokens[name][setting], strict=True) for pair in zip(*rows, strict=True)]
            shares.append(f"{setting} {sum(mine == other for mine, other in pairs) / len(pairs):.0%}")
        print(f"tokens of {name} that are those of {first}: {', '.join(shares)}")


def _python(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _model_of(race: Race) -> tuple[str, ...]:
    return race.model_type, race.head, json.dumps(dict(race.config)), json.dumps(dict(race.generation))


def _save_random_model(model_type: str, head: str, config: str, generation: str, folder: str) -> None:
    import tfx_core

    model = tfx_core.new_model(model_type, head=head, seed=0, **json.loads(config))
    if chosen := json.loads(generation):
        model.generation_config = chosen
    model.save_pretrained(folder)


if __name__ == "__main__":
    _save_random_model(*sys.argv[1:])
