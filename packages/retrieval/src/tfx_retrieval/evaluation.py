"""How well a search finds the right passages: questions with answers that are known, runs, and the measures of TREC."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from tfx_core.checkpoint import parse_json, replacing, save_errors
from tfx_core.embedding import Passage
from tfx_core.errors import CheckpointError, InputError, PassageIndexError, shown
from tfx_retrieval.hits import Hit, PassageSearch

MEASURES: Mapping[str, str] = {
    "nDCG@10": "ndcg_cut_10",
    "MRR": "recip_rank",
    "recall@5": "recall_5",
    "recall@20": "recall_20",
    "recall@100": "recall_100",
    "success@1": "success_1",
    "success@5": "success_5",
    "success@20": "success_20",
}
"""Our names of the measures, and trec_eval's. Success is the share of questions with a right passage so high."""

DEPTH = 100
"""Passages that are found for each question."""

Judgements: TypeAlias = Mapping[str, Mapping[str, int]]
"""Id of a question -> name of a passage -> how relevant it is, 0 for not at all; what is not named is not relevant."""

Run: TypeAlias = Mapping[str, Sequence[Hit]]
"""Id of a question -> what a search found, the best first."""


@dataclass(frozen=True)
class Question:
    """A question, and what is right for it: passages of these topics, and those of these ids."""

    id: str
    text: str
    topics: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()


def read_questions(path: Path) -> list[Question]:
    """Read questions: JSON Lines with ``question``, ``topics`` or ``ids``, and perhaps ``id``, or id, tab, question.

    A question without an id has the number of its line. Raises `InputError` that names the line.
    """
    questions = [_question(line, number, path) for number, line in _lines(path)]
    if not questions:
        raise InputError(f"{path}: no question in it")
    name, times = Counter(question.id for question in questions).most_common(1)[0]
    if times > 1:
        raise InputError(f"{path}: {times} questions have the id {shown(name)}")
    return questions


def _question(line: str, number: int, path: Path) -> Question:
    where = f"{path}: line {number}"
    if not line.startswith("{"):
        name, tab, text = line.partition("\t")
        if not tab or not name.strip() or not text.strip():
            raise InputError(f"{where} is neither an object of JSON nor an id, a tab and a question")
        return Question(name.strip(), text.strip())
    try:
        values = parse_json(line.encode(), where)
    except CheckpointError as error:
        raise InputError(str(error)) from error
    asked = values.get("question")
    if not isinstance(asked, str) or not asked.strip():
        raise InputError(f"{where}: 'question' is {shown(asked)}, no text")
    name = values.get("id", str(number))
    if not isinstance(name, str | int):
        raise InputError(f"{where}: 'id' is {shown(name)}, no text")
    return Question(str(name), asked, _names(values, "topics", where), _names(values, "ids", where))


def _names(values: Mapping[str, object], key: str, where: str) -> frozenset[str]:
    names = values.get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{where}: {key!r} is {shown(names)}, no list of strings")
    return frozenset(names)


def read_judgements(path: Path) -> Judgements:
    """Read a qrels file of TREC: question, iteration (which is not used), passage and relevance, parted by blanks."""
    judged: dict[str, dict[str, int]] = {}
    for number, line in _lines(path):
        fields = line.split()
        if len(fields) != 4 or not re.fullmatch(r"-?\d{1,9}", fields[3]):
            raise InputError(f"{path}: line {number} is not question, iteration, passage and a whole number")
        judged.setdefault(fields[0], {})[fields[2]] = int(fields[3])
    return judged


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    yield from ((number, line.rstrip("\r")) for number, line in enumerate(lines, start=1) if line.strip())


def judged_by(questions: Sequence[Question], passages: Iterable[tuple[int, Passage]]) -> Judgements:
    """What is relevant to each question among all rows and their passages, by the topics and ids that are right."""
    judged: dict[str, dict[str, int]] = {question.id: {} for question in questions}
    for row, passage in passages:
        for question in questions:
            if passage.topic in question.topics or passage.id in question.ids:
                judged[question.id][name_in_run(row, passage)] = 1
    return judged


def name_in_run(row: int, passage: Passage) -> str:
    """The name of a passage where blanks part the fields: its id with %20 for a blank, or else its row."""
    return _unparted(passage.id) or f"row-{row}"


def _unparted(name: str) -> str:
    return re.sub(r"[\s%]", lambda found: quote(found[0]), name)


def run(search: PassageSearch, questions: Sequence[Question], k: int = DEPTH) -> Run:
    """Find ``k`` passages for every question."""
    found = search.search([question.text for question in questions], k)
    return {question.id: hits for question, hits in zip(questions, found, strict=True)}


def measure(found: Run, judgements: Judgements) -> dict[str, float]:
    """The mean of every one of `MEASURES`, by trec_eval, over the questions of which a passage is relevant.

    Where passages share a name, the first counts. Raises `InputError` where there is no such question.
    """
    judged = {name: dict(judgements.get(name, {})) for name in found}
    judged = {name: passages for name, passages in judged.items() if any(grade > 0 for grade in passages.values())}
    if not judged:
        raise InputError("nothing is relevant to any question: do topics, ids or qrels belong to this index?")
    ranks = {name: _ranks(found[name]) for name in judged}
    each = _evaluator(judged).evaluate(ranks).values()
    return {name: math.fsum(values[theirs] for values in each) / len(each) for name, theirs in MEASURES.items()}


def _ranks(hits: Sequence[Hit]) -> dict[str, float]:
    """Scores that fall with the rank: trec_eval orders by score, and equal ones by name."""
    return {name_in_run(hit.row, hit.passage): -float(hit.rank) for hit in reversed(hits)}


def _evaluator(judged: Judgements) -> Any:
    try:
        import pytrec_eval
    except ImportError as error:
        raise InputError("measures are pytrec-eval's: pip install 'tfx-retrieval[evaluation]'") from error
    wanted = {re.sub(r"_(\d+)$", r".\1", name) for name in MEASURES.values()}
    return pytrec_eval.RelevanceEvaluator(judged, wanted)


def write_run(found: Run, path: Path, tag: str = "tfx") -> None:
    """Write a run as trec_eval reads it: question, Q0, passage, rank, score and tag, a line for each passage.

    The score is the search's; where it is not below the one before, it is the next number below, to keep the order.
    """
    with save_errors(path, PassageIndexError), replacing(path) as fresh:
        fresh.write_text("".join(_run_lines(found, tag)), encoding="utf-8")


def _run_lines(found: Run, tag: str) -> Iterator[str]:
    for question, hits in found.items():
        for hit, score in zip(hits, _falling(hit.score for hit in hits), strict=True):
            yield f"{_unparted(question)} Q0 {name_in_run(hit.row, hit.passage)} {hit.rank} {score!r} {tag}\n"


def _falling(scores: Iterable[float]) -> Iterator[float]:
    last = math.inf
    for score in scores:
        last = min(score, math.nextafter(last, -math.inf))
        yield last
