"""How well an index of the Python language reference answers questions whose topics are known.

    python evaluate.py INDEX [--model MODEL] [--record results.json]

A question counts as answered at rank r when the r-th passage found is the first of a topic that answers it. Printed are
the shares of questions answered by the first passage and within the first five.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfx_retrieval import SearchIndex

HERE = Path(__file__).parent
QUESTIONS = HERE / "questions.jsonl"
RESULTS = HERE / "results.json"
DEPTH = 20
"""Passages that are looked at for each question."""


@dataclass(frozen=True)
class Question:
    """A question and the topics that answer it."""

    question: str
    topics: frozenset[str]
    evidence: tuple[str, ...]
    """Phrases of the reference that answer it; a topic belongs to ``topics`` when its text holds one of them."""


@dataclass(frozen=True)
class Results:
    """What an evaluation found, and of which passages."""

    python: str
    passages: int
    digest: str
    ranks: Mapping[str, int | None]
    """Question -> rank of the first right passage; None where it is not among the first `DEPTH`."""

    def within(self, k: int) -> int:
        """Count the questions answered within the first ``k`` passages."""
        return sum(rank is not None and rank <= k for rank in self.ranks.values())

    def summary(self) -> str:
        """Give the figure in one line."""
        total = len(self.ranks)
        first, five = self.within(1), self.within(5)
        return (
            f"{total} questions: {first} answered by the first passage ({first / total:.0%}), "
            f"{five} within the first five ({five / total:.0%})"
        )


def read_questions(path: Path = QUESTIONS) -> list[Question]:
    """Read the question set."""
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Question(record["question"], frozenset(record["topics"]), tuple(record["evidence"])) for record in records]


def first_right(topics: Sequence[str], question: Question) -> int | None:
    """Give the rank of the first of the topics found that answers a question."""
    return next((rank for rank, topic in enumerate(topics, start=1) if topic in question.topics), None)


def evaluate(index: "SearchIndex", questions: Sequence[Question]) -> Results:
    """Search for every question."""
    found = index.search([question.question for question in questions], DEPTH)
    ranks = {
        question.question: first_right([hit.passage.topic for hit in hits], question)
        for question, hits in zip(questions, found, strict=True)
    }
    return Results(f"{sys.version_info[0]}.{sys.version_info[1]}", len(index), index.manifest.passages, ranks)


def read_results(path: Path = RESULTS) -> Results:
    """Read recorded results."""
    return Results(**json.loads(path.read_text(encoding="utf-8")))


def report(results: Results, recorded: Results) -> int:
    """Print the figure and how it compares with the recorded one; 1 where the same passages gave something else."""
    print(results.summary())
    for question, rank in results.ranks.items():
        if rank is None or rank > 5:
            print(f"  not among the first five ({'beyond ' + str(DEPTH) if rank is None else rank}): {question}")
    if results.digest != recorded.digest:
        print(f"The recorded figure is of Python {recorded.python}, whose reference differs: {recorded.summary()}")
        return 0
    changed = [question for question, rank in results.ranks.items() if recorded.ranks.get(question) != rank]
    for question in changed:
        print(f"  recorded at {recorded.ranks.get(question)}, now at {results.ranks[question]}: {question}")
    print("as recorded" if not changed else f"{len(changed)} questions differ from {RESULTS.name}")
    return 1 if changed else 0


def main() -> int:
    """Evaluate an index."""
    parser = argparse.ArgumentParser(description="How well an index of the Python reference answers known questions.")
    parser.add_argument("index", type=Path, help="folder that `tfx-core index build --source pydoc:topics` made")
    parser.add_argument("--model", help="folder or hub id of the encoder (default: the index's own)")
    parser.add_argument("--record", type=Path, help="write the results to this file")
    arguments = parser.parse_args()
    if arguments.record and not arguments.record.parent.is_dir():
        parser.error(f"--record: the folder {arguments.record.parent} does not exist")

    import tfx_core
    from tfx_retrieval import open_index

    own = open_index(arguments.index).manifest.model
    model = arguments.model or (own.name if own else None)
    if model is None:
        parser.error(f"{arguments.index} does not say which model it was made with; give --model")
    results = evaluate(open_index(arguments.index, tfx_core.load_encoder(model)), read_questions())
    if arguments.record:
        text = json.dumps(asdict(results), indent=2, ensure_ascii=False)
        arguments.record.write_text(text + "\n", encoding="utf-8")
    return report(results, read_results())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
