"""Open-domain question answering: retrieve passages of an index, read them, rank the spans (Karpukhin et al. 2020)."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from tfx_core.errors import InputError
from tfx_core.fields import Between, Help, Size
from tfx_core.tasks import ItemError, Result, Task, TaskOptions, TextWindow, check_text, length_limit, window_of

if TYPE_CHECKING:
    from torch import Tensor

    from tfx_core.model import Model
    from tfx_core.text import Tokenizer
    from tfx_retrieval.hits import Hit, PassageSearch


@dataclass(frozen=True, kw_only=True)
class OpenDomainOptions(TaskOptions):
    """Options of `OpenDomainQuestionAnswering`."""

    further: ClassVar[frozenset[str]] = frozenset({"question_encoder"})

    index: Annotated[str | None, Help("folder of the index that the passages come from")] = None
    question_model: Annotated[
        str | None, Help("folder or hub id of the encoder of questions, where the index's model encodes passages alone")
    ] = None
    passages: Annotated[int, Between(1), Help("passages to retrieve and read for each question")] = 10
    top_k: Annotated[int, Between(1), Help("answers to return, the best first")] = 1
    num_spans_per_passage: Annotated[int, Between(1), Help("most answers out of one passage")] = 4
    max_answer_length: Annotated[int, Between(1), Help("longest answer, in tokens")] = 64
    max_length: Annotated[
        Size | None, Help("cut question, title and passage to this many tokens (default: what the model takes)")
    ] = None

    question_encoder: Any = field(init=False, repr=False, default=None)
    search: Any = field(init=False, repr=False, default=None)
    """What the index is opened as, or was given as."""

    def replaced(self, **values: Any) -> Self:
        """A copy with these values; what was opened stays where none of them says what to search in."""
        index = values.get("index")
        if isinstance(index, Path):
            values["index"] = str(index)
        given = None if index is None or isinstance(index, str | Path) else values.pop("index")
        if given is not None and not hasattr(given, "search"):
            raise InputError(f"index={given!r:.80}: must be a folder, or have search(questions, k)")
        encoder = values.pop("question_encoder", self.question_encoder)
        another = given is not None or encoder is not self.question_encoder
        kept = None if another or {"index", "question_model"} & values.keys() else self.search
        made = super().replaced(**values)
        object.__setattr__(made, "question_encoder", encoder)
        object.__setattr__(made, "search", given or kept)
        return made

    def searching(self, search: "PassageSearch") -> Self:
        """A copy with what was opened."""
        made = copy.copy(self)
        object.__setattr__(made, "search", search)
        return made


@dataclass(frozen=True)
class Asked:
    """A question and, once they are found, its passages."""

    question: str
    hits: "list[Hit]" = field(default_factory=list)


@dataclass(frozen=True)
class Read:
    """What a reader makes of a passage: logits (S,), and its relevance; None where the reader does not tell."""

    starts: NDArray[np.float32]
    ends: NDArray[np.float32]
    relevance: float | None


class OpenDomainQuestionAnswering(Task[OpenDomainOptions, Asked, Read]):
    """Questions in; the answer out: where it stands, the passage that it stands in, and what speaks for it.

    ``index`` is a folder, or anything with ``search(questions, k)`` (`tfx_retrieval.hits.PassageSearch`); the questions
    of a folder are encoded by its own model, a ``question_model`` beside it, or a ``question_encoder``
    (`tfx_retrieval.probes.Encoder`). The model is DPR's reader, or one of extractive question answering, which leaves
    the order of the passages to the retrieval. The result is one dict with ``top_k=1``, else a list of dicts. ``start``
    and ``end`` are characters of the passage's text. Passages come in the order of their relevance, and within each its
    spans in that of their score, the sum of both logits, none of them within another; ``score`` is the probability of
    passage and span among all that were read.
    """

    name = "open-domain-question-answering"
    heads = ("reader", "question-answering")
    options_type = OpenDomainOptions

    def __init__(self, model: "Model", tokenizer: "Tokenizer", **options: object) -> None:
        super().__init__(model, tokenizer, **options)
        if self.options.index is not None:  # is opened once, and what is wrong with it shows at once
            self.options = self.settled(self.options)

    def parse(self, value: object, options: OpenDomainOptions) -> Asked:
        """A question, or ``{"question": …}``."""
        if isinstance(value, Mapping) and value.keys() == {"question"}:
            value = value["question"]
        question = check_text(value, "a question")
        if not question.strip():
            raise InputError("the question is empty")
        return Asked(question)

    def check_options(self, options: OpenDomainOptions) -> None:
        """There is something to search in."""
        if options.index is None and options.search is None:
            raise InputError(
                f"{self.name} needs an index: give a folder (index=, --index), or what has search(questions, k)"
            )
        length_limit(self.model, self.tokenizer, options.max_length)

    def settled(self, options: OpenDomainOptions) -> OpenDomainOptions:
        """The index is opened, and holds as many passages as are to be read."""
        search = options.search
        if search is None:
            search = _opened(str(options.index), options.question_model, options.question_encoder)
        count = len(search) if hasattr(search, "__len__") else None
        if count is not None and options.passages > count:
            raise InputError(f"passages={options.passages}: the index holds {count}; ask for 1 to {count} of them")
        return options.searching(search)

    def rows_of(self, value: object, options: OpenDomainOptions) -> int:
        """One for each passage."""
        return options.passages

    def encode(self, items: Sequence[Asked], options: OpenDomainOptions) -> list[list[TextWindow]]:
        """Each passage behind its question: ``[CLS] question [SEP] title [SEP] text``, of which the text is cut."""
        found = options.search.search([item.question for item in items], options.passages)
        windows: list[list[TextWindow]] = []
        for index, (item, hits) in enumerate(zip(items, found, strict=True)):
            item.hits.extend(hits)
            windows.append([self._window(index, item.question, hit, options) for hit in hits])
        return windows

    def compute(
        self, batch: "Mapping[str, Tensor]", windows: Sequence[TextWindow], options: OpenDomainOptions
    ) -> list[Read]:
        """Logits (S,) and relevance of each passage."""
        output = self.model(**batch, return_dict=True)
        starts, ends = output.start_logits.float().cpu().numpy(), output.end_logits.float().cpu().numpy()
        relevance = output["relevance_logits"].tolist() if "relevance_logits" in output else [None] * len(windows)
        places = [self.place(window, starts.shape[1]) for window in windows]
        return [Read(starts[row, place], ends[row, place], relevance[row]) for row, place in enumerate(places)]

    def decode(
        self, item: Asked, windows: Sequence[TextWindow], rows: Sequence[Read], options: OpenDomainOptions
    ) -> Result:
        """The best answer, or a list of the best."""
        relevance = [
            hit.score if row.relevance is None else row.relevance for hit, row in zip(item.hits, rows, strict=True)
        ]
        answers: list[dict[str, Any]] = []
        for place in sorted(range(len(rows)), key=lambda place: -relevance[place]):
            answers += self._answers(item.hits[place], windows[place], rows[place], relevance, place, options)
            if len(answers) >= options.top_k:
                break
        if options.top_k == 1:
            return answers[0] if answers else {"answer": "", "score": 0.0}
        return answers[: options.top_k]

    def _answers(
        self,
        hit: "Hit",
        window: TextWindow,
        read: Read,
        relevance: Sequence[float],
        place: int,
        options: OpenDomainOptions,
    ) -> list[dict[str, Any]]:
        text = np.flatnonzero([sequence == self._of_text for sequence in window.sequences])
        starts, ends = read.starts[text], read.ends[text]
        chance = _softmax(np.array(relevance))[place]
        start_chance, end_chance = _softmax(starts), _softmax(ends)
        passage = {"id": hit.passage.id, "topic": hit.passage.topic, "text": hit.passage.text}
        answers = []
        for first, last in best_spans(starts, ends, options.max_answer_length, options.num_spans_per_passage):
            start, end = window.offsets[text[first]][0], window.offsets[text[last]][1]
            answer = {
                "answer": hit.passage.text[start:end],
                "score": float(chance * start_chance[first] * end_chance[last]),
                "span_score": float(starts[first] + ends[last]),
                "relevance_score": float(relevance[place]),
                "start": start,
                "end": end,
                "passage": passage,
                "retrieval_score": hit.score,
            }
            answers.append(answer)
        return answers

    @property
    def _of_text(self) -> int:
        """The number of the passage's text among what is read."""
        return 1 if self.model.head_name == "reader" or self.tokenizer.question_first else 0

    def _window(self, index: int, question: str, hit: "Hit", options: OpenDomainOptions) -> TextWindow:
        limit = length_limit(self.model, self.tokenizer, options.max_length)
        if self.model.head_name == "reader":
            window = self._behind_title(question, hit, limit)
        else:
            window = self._beside_question(question, hit, limit)
        if self._of_text not in window.sequences and hit.passage.text.strip():
            raise ItemError(index, f"question and title leave no room for a passage within {limit} tokens")
        return window

    def _behind_title(self, question: str, hit: "Hit", limit: int | None) -> TextWindow:
        """Of one type, and no separator at the end, as DPR's reader was trained."""
        before = self.tokenizer(question, hit.passage.topic)["input_ids"]
        batch = self.tokenizer(
            [hit.passage.text],
            add_special_tokens=False,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
        )
        text = window_of(self.model, batch, 0, True, (hit.passage.text,))
        ids = [*before, *text.features["input_ids"]][:limit]
        return TextWindow(
            {"input_ids": ids, "attention_mask": [1] * len(ids)},
            offsets=[*[(0, 0)] * len(before), *text.offsets][:limit],
            sequences=[*[None] * len(before), *[self._of_text] * len(text)][:limit],
        )

    def _beside_question(self, question: str, hit: "Hit", limit: int | None) -> TextWindow:
        first = self.tokenizer.question_first
        texts = (question, hit.passage.text) if first else (hit.passage.text, question)
        batch = self.tokenizer(
            *([text] for text in texts),
            truncation=("only_second" if first else "only_first") if limit is not None else False,
            max_length=limit,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
        )
        return window_of(self.model, batch, 0, True, texts)


def best_spans(
    starts: NDArray[np.float32], ends: NDArray[np.float32], longest: int, count: int
) -> list[tuple[int, int]]:
    """First and last place of the ``count`` spans of highest score, the sum of both; none lies within another."""
    scores = starts[:, None] + ends[None]
    length = np.arange(len(starts))[None] - np.arange(len(starts))[:, None]
    allowed = np.flatnonzero(((length >= 0) & (length < longest)).ravel())
    chosen: list[tuple[int, int]] = []
    for each in allowed[np.argsort(-scores.ravel()[allowed], kind="stable")]:
        first, last = divmod(int(each), len(starts))
        if not any((a <= first and last <= b) or (first <= a and b <= last) for a, b in chosen):
            chosen.append((first, last))
            if len(chosen) == count:
                break
    return chosen


def _softmax(logits: NDArray[Any]) -> NDArray[Any]:
    if not len(logits):
        return logits
    exponentials = np.exp(logits - logits.max())
    probabilities: NDArray[Any] = exponentials / exponentials.sum()
    return probabilities


def _opened(folder: str, question_model: str | Path | None, encoder: Any) -> "PassageSearch":
    from tfx_retrieval.folder import maker_of
    from tfx_retrieval.pairs import load_pair
    from tfx_retrieval.search import open_index

    if encoder is None or isinstance(encoder, str | Path):  # of questions; passages have been encoded
        question_model = question_model or encoder
        model = maker_of(Path(folder), "question_encoder")
        encoder = load_pair(model.name, question_model, revision=model.revision)
    return open_index(folder, encoder)
