"""Races: libraries beside each other at the same work of a model, each in every type of weights that it has."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from measure import Column, Contestant, Results, measure, print_table
from record import Finished, Record

CONTESTANTS = Path(__file__).parent / "contestants"
OURS = "tfx"
TYPES = ("float32", "bfloat16", "int8")
"""Of weights, that we compute with on a CPU."""


@dataclass(frozen=True)
class Course:
    """Where a race is run, and what for."""

    folder: Path
    """For what the contestants read and write."""
    peers: str
    """Python of the other libraries."""
    types: Sequence[str]
    """Of weights."""
    threads: int

    def contestants(self, job: str, libraries: Mapping[str, Sequence[str]], work: Path) -> list[Contestant]:
        """Libraries at a job, each in those of its types that are asked for."""
        return [
            self.contestant(job, library, kind, work)
            for library, kinds in libraries.items()
            for kind in kinds
            if kind in self.types
        ]

    def contestant(self, job: str, library: str, kind: str, work: Path) -> Contestant:
        """A library at a job: a script takes the file of the work, `output` and the type."""
        python = sys.executable if library == OURS else self.peers
        script, name = str(CONTESTANTS / f"{job}_with_{library}.py"), f"{library} {kind}"
        return Contestant(name, (python, script, str(work), str(self.output(name)), kind))

    def output(self, name: str) -> Path:
        """The file for what comes out of a contestant's work."""
        return self.folder / f"{name}.output"

    def save_random_model(self, model_type: str, head: str, config: Mapping[str, Any], **generation: Any) -> None:
        """Fill the folder."""
        # in a process of its own: the system counts what this one holds as held by the contestants
        given = (model_type, head, json.dumps(dict(config)), json.dumps(generation), str(self.folder))
        run_python(sys.executable, __file__, *given)


@dataclass(frozen=True)
class Race(ABC):
    """A model and what is asked of it."""

    title: str
    model_type: str

    @property
    @abstractmethod
    def rates(self) -> Sequence[str]:
        """The contestants' figures that count: how much they do in a second."""

    @abstractmethod
    def part(self, every: int) -> Self:
        """About one part in so many of the work."""

    @abstractmethod
    def contestants(self, course: Course) -> Sequence[Contestant]:
        """Who takes part, when all is made that they need."""

    @abstractmethod
    def report(self, course: Course, results: Results) -> None:
        """Print what there is to say beside the figures."""


def command(description: str | None, *races: Race) -> None:
    """Read the options of a script of such races, and print all figures."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--peers", required=True, help="Python of the environment of benchmarks/requirements.txt")
    parser.add_argument("--wheels", help="not needed here")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count() or 1, help="by default as many as there are cores"
    )
    known = sorted({race.model_type for race in races})
    parser.add_argument("--only", nargs="+", choices=known, default=known, help="the models to measure; by default all")
    parser.add_argument("--types", nargs="+", choices=TYPES, default=TYPES, help="of weights; by default all")
    parser.add_argument(
        "--part", type=int, default=1, help="do one part in so many of the work, to try it or for haste"
    )
    parser.add_argument("--json", type=Path, help="file for every figure of every round, with what this machine is")
    options = parser.parse_args()
    asked = [race.part(options.part) for race in races if race.model_type in options.only]
    finished = [run(race, options) for race in asked]
    if options.json is not None:
        Record.of(options.peers, options.threads, finished).write(options.json)


def run(race: Race, options: argparse.Namespace) -> Finished:
    """Measure, and print a table for each type of our weights."""
    with tempfile.TemporaryDirectory() as name:
        course = Course(Path(name), options.peers, options.types, options.threads)
        results = measure(race.contestants(course), rounds=options.rounds, warm_up=False)
        title = race.title if options.part == 1 else f"{race.title} (1 part in {options.part})"
        columns = [*(Column(rate, "/s") for rate in race.rates), Column("peak", "MB")]
        for kind in course.types:
            print_table(title, results, columns, ours=f"{OURS} {kind}")
        race.report(course, results)
    return Finished(title, list(race.rates), results)


def run_python(*command: str) -> None:
    """Run to the end; raises `RuntimeError` with what it printed where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _save_random_model(model_type: str, head: str, config: str, generation: str, folder: str) -> None:
    import tfx_core

    model = tfx_core.new_model(model_type, head=head, seed=0, **json.loads(config))
    if chosen := json.loads(generation):
        model.generation_config = chosen
    model.save_pretrained(folder)


if __name__ == "__main__":
    _save_random_model(*sys.argv[1:])
