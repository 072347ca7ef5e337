"""Questions to learn from: with their answers, the passages that are right, and some that are not.

Files are those of the released DPR (Karpukhin et al. 2020): one JSON array, or one object a line, of ``question``,
``answers``, ``positive_ctxs``, ``negative_ctxs`` and ``hard_negative_ctxs``, each a list of ``title``, ``text`` and, if
you like, ``passage_id``. They are read one question at a time, whatever their size, also compressed (``.gz``).
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from torch.utils.data import IterableDataset, get_worker_info

from tfx_core.embedding import Passage
from tfx_core.errors import InputError, shown

_CHUNK = 1 << 20
_BETWEEN = frozenset(" \t\r\n,")
"""What stands between the values of an array."""
_LISTS = {"positives": "positive_ctxs", "negatives": "negative_ctxs", "hard_negatives": "hard_negative_ctxs"}


@dataclass(frozen=True)
class TrainingQuestion:
    """A question, what answers it, and passages with and without the answer."""

    question: str
    answers: tuple[str, ...] = ()
    positives: tuple[Passage, ...] = ()
    """Right passages, the best first."""
    hard_negatives: tuple[Passage, ...] = ()
    """Passages that a search finds for it although they are wrong."""
    negatives: tuple[Passage, ...] = ()
    """Other wrong passages."""


class QuestionFile(IterableDataset[TrainingQuestion]):
    """The questions of a file, read afresh in every epoch; the workers of a data loader share them out.

    A list of questions, ``list(QuestionFile(path))``, is a data set too, and one that can be shuffled. Raises
    `InputError`, which names file, question and key, for what is no such file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(f"{self.path}: no such file; give one of questions, .json or .jsonl")

    def __iter__(self) -> Iterator[TrainingQuestion]:
        worker = get_worker_info()
        first, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for number, record in islice(enumerate(self._records(), start=1), first, None, step):
            yield _question(record, f"{self.path}, question {number}")

    def _records(self) -> Iterator[object]:
        opened: Any = gzip.open if self.path.suffix == ".gz" else open
        count = 0
        try:
            with opened(self.path, "rt", encoding="utf-8-sig") as file:
                for count, value in enumerate(_values(file), start=1):  # noqa: B007
                    yield value
        except (ValueError, EOFError, RecursionError, OSError) as error:
            raise InputError(f"{self.path}: not JSON after {count} questions: {error}") from error


def write_questions(path: str | Path, questions: Iterable[TrainingQuestion]) -> int:
    """Write questions, one a line, as `QuestionFile` reads them; gives their number. The file is there when all are."""
    path, count = Path(path), 0
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            for question in questions:
                file.write(json.dumps(_record(question), ensure_ascii=False) + "\n")
                count += 1
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return count


def _values(file: IO[str]) -> Iterator[object]:
    """Those of one array, or one a line."""
    listed = file.read(_CHUNK).lstrip().startswith("[")
    file.seek(0)
    return _array(file) if listed else (json.loads(line) for line in file if line.strip())


def _array(file: IO[str]) -> Iterator[object]:
    """The values of an array; of those to come, no more than a few are in memory."""
    text = file.read(_CHUNK).lstrip()
    decoder, at = json.JSONDecoder(), 1
    while True:
        while text[at : at + 1] in _BETWEEN:
            at += 1
        if text[at : at + 1] == "]":
            return
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            text, at = text[at:], 0
            more = file.read(max(_CHUNK, len(text)))  # twice as much each time: a long value is parsed few times
            if not more:
                raise
            text += more
        else:
            yield value


def _question(record: object, where: str) -> TrainingQuestion:
    if not isinstance(record, Mapping):
        raise InputError(f'{where}: {shown(record)} is no object such as {{"question": …, "positive_ctxs": […]}}')
    text, answers = record.get("question"), record.get("answers", [])
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"{where}: 'question' is {shown(text)}; it must be a text")
    if not isinstance(answers, list) or not all(isinstance(answer, str) for answer in answers):
        raise InputError(f"{where}: 'answers' is {shown(answers)}; it must be a list of texts")
    lists = {ours: _passages(record.get(theirs) or [], f"{where}: {theirs!r}") for ours, theirs in _LISTS.items()}
    return TrainingQuestion(text, tuple(answers), **lists)


def _passages(records: object, where: str) -> tuple[Passage, ...]:
    if not isinstance(records, list):
        raise InputError(f"{where} is {shown(records)}; it must be a list of passages")
    return tuple(_passage(record, f"{where}, passage {number}") for number, record in enumerate(records, start=1))


def _passage(record: object, where: str) -> Passage:
    if not isinstance(record, Mapping) or not isinstance(record.get("text"), str):
        raise InputError(f'{where}: {shown(record)} is no object such as {{"title": …, "text": …}}')
    title, name = record.get("title") or "", record.get("passage_id", record.get("psg_id", ""))
    if not isinstance(title, str) or not isinstance(name, str | int):
        raise InputError(f"{where}: 'title' is {shown(title)} and 'passage_id' {shown(name)}; both must be texts")
    return Passage(record["text"], title, str(name))


def _record(question: TrainingQuestion) -> dict[str, object]:
    lists = {theirs: [_of(passage) for passage in getattr(question, ours)] for ours, theirs in _LISTS.items()}
    return {"question": question.question, "answers": list(question.answers), **lists}


def _of(passage: Passage) -> dict[str, str]:
    named = {"passage_id": passage.id} if passage.id else {}
    return {"title": passage.topic, "text": passage.text, **named}
