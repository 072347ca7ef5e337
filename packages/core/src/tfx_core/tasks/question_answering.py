"""Question answering: the part of a context that answers a question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfx_core.errors import InputError
from tfx_core.fields import Between, Help
from tfx_core.tasks.base import Progress, Result, Task
from tfx_core.tasks.options import TaskOptions
from tfx_core.tasks.spans import AnswerSpan, best_spans, span_probabilities
from tfx_core.tasks.windows import ItemError, TextWindow, check_text, length_limit, tokenize_in_windows, word_characters

if TYPE_CHECKING:
    from torch import Tensor

SpanLogits: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Start and end logits of one window, (S,) each."""

LONGEST_WINDOW = 384
"""Tokens of question and context together that the released models were fine-tuned with."""

LARGEST_STRIDE = 128


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the text that may answer it."""

    question: str
    context: str


@dataclass(frozen=True, kw_only=True)
class QuestionAnsweringOptions(TaskOptions):
    """Options of `QuestionAnswering`."""

    context: Annotated[str | None, Help("the text that answers the questions which come without one")] = None
    top_k: Annotated[int, Between(1), Help("answers to return, the best first")] = 1
    max_answer_len: Annotated[int, Between(1), Help("longest answer, in tokens")] = 15
    max_seq_len: Annotated[
        int | None,
        Between(1),
        Help("tokens of question and context in one window (default: 384, or what the model takes)"),
    ] = None
    doc_stride: Annotated[
        int | None,
        Between(0),
        Help("tokens that neighbouring windows share (default: 128, or half a short window)"),
    ] = None
    max_question_len: Annotated[int | None, Between(1), Help("cut questions to this many tokens")] = None
    handle_impossible_answer: Annotated[bool, Help("let the empty answer compete with the others")] = False
    return_no_answer_score: Annotated[
        bool, Help("add the score of the empty answer, no_answer_score, to each answer")
    ] = False
    align_to_words: Annotated[bool, Help("widen answers to whole words")] = True


class QuestionAnswering(Task[QuestionAnsweringOptions, Question, SpanLogits]):
    """``{"question": …, "context": …}``, pairs, or questions alone in; ``score``, ``start``, ``end``, ``answer`` out.

    ``start`` and ``end`` are characters of the context. The result is one dict with ``top_k=1``, else a list of dicts,
    the best first. A long context is read in overlapping windows. An answer found more than once, up to case, counts
    with the sum of its scores, as in the reference library; so a score can exceed 1.
    """

    name = "question-answering"
    heads = ("question-answering",)
    options_type = QuestionAnsweringOptions

    def __call__(self, inputs: object = None, *, progress: Progress | bool | None = None, **options: object) -> Result:
        """As of every task; ``question=`` and ``context=`` are inputs as well, one context for each question or all."""
        if "question" in options:
            if inputs is not None:
                raise InputError(f"{self.name}: give the inputs, or question= and context=, not both")
            inputs, context = options.pop("question"), options.get("context")
            if isinstance(inputs, list | tuple) and isinstance(context, list | tuple):
                inputs = _together(inputs, context)
                del options["context"]
            elif isinstance(inputs, tuple):
                inputs = list(inputs)
        return super().__call__(inputs, progress=progress, **options)

    def parse(self, value: object, options: QuestionAnsweringOptions) -> Question:
        """A question with its context; the option serves where a question has none."""
        if isinstance(value, str):
            if options.context is None:
                raise InputError(
                    "a question alone needs the option context; or give {'question': …, 'context': …} or a pair"
                )
            value = (value, options.context)
        elif isinstance(value, Mapping):
            if value.keys() != {"question", "context"}:
                raise InputError(f"keys {sorted(map(str, value))}: a dict has 'question' and 'context'")
            value = (value["question"], value["context"])
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise InputError(f"a question and its context are needed, not {type(value).__name__}")
        item = Question(check_text(value[0], "question"), check_text(value[1], "context"))
        for name in ("question", "context"):
            if not getattr(item, name).strip():
                raise InputError(f"the {name} is empty")
        return item

    def encode(self, items: Sequence[Question], options: QuestionAnsweringOptions) -> list[list[TextWindow]]:
        """Windows of question and as much context as fits."""
        limit = self._window_length(options)
        stride = options.doc_stride if options.doc_stride is not None else min(limit // 2, LARGEST_STRIDE)
        questions, sizes = self._questions(items, options)
        added = self.tokenizer.num_special_tokens_to_add(pair=True)
        by_stride: dict[int, list[int]] = {}
        for index, size in enumerate(sizes):
            room = limit - added - size
            if room < 1 or (options.doc_stride is not None and room <= stride):
                raise ItemError(
                    index,
                    f"the question's {size} tokens leave {max(0, room)} of {limit} for the context, which is too few "
                    f"for a stride of {stride}; give a max_question_len, a larger max_seq_len or a smaller doc_stride",
                )
            by_stride.setdefault(stride if room > stride else room // 2, []).append(index)
        windows: list[list[TextWindow]] = [[] for _ in items]
        for own_stride, chosen in by_stride.items():
            asked = [questions[index] for index in chosen]
            read = [items[index].context for index in chosen]
            tokenized = tokenize_in_windows(
                self.model,
                self.tokenizer,
                *((asked, read) if self.tokenizer.question_first else (read, asked)),
                stride=own_stride,
                max_length=limit,
                truncation="only_second" if self.tokenizer.question_first else "only_first",
            )
            for index, own in zip(chosen, tokenized, strict=True):
                windows[index] = own
        return windows

    def compute(
        self, batch: "Mapping[str, Tensor]", windows: Sequence[TextWindow], options: QuestionAnsweringOptions
    ) -> list[SpanLogits]:
        """Start and end logits, (S,) each."""
        output = self.model(**batch, return_dict=True)
        starts, ends = output.start_logits.float().cpu().numpy(), output.end_logits.float().cpu().numpy()
        places = [self.place(window, starts.shape[1]) for window in windows]
        return [(starts[row, place], ends[row, place]) for row, place in enumerate(places)]

    def decode(
        self,
        item: Question,
        windows: Sequence[TextWindow],
        rows: Sequence[SpanLogits],
        options: QuestionAnsweringOptions,
    ) -> Result:
        """The best answer, or a list of the best."""
        no_answer = 1.0
        answers: dict[str, dict[str, float | int | str]] = {}
        # a span may be of blanks alone, and widening to words can make answers equal: some more than are asked for
        count = 2 * options.top_k + 10
        for window, (start_logits, end_logits) in zip(windows, rows, strict=True):
            start, end, none_here = span_probabilities(
                start_logits, end_logits, self._answerable(window), self._cls(window)
            )
            no_answer = min(no_answer, none_here)
            spans = best_spans(start, end, count=count, longest=options.max_answer_len)
            places = [(self._characters(item, window, span, options.align_to_words), span.score) for span in spans]
            places = [each for each in places if each[0][0] < each[0][1]]
            for (first, last), score in places if options.align_to_words else places[: options.top_k]:
                text = item.context[first:last]
                answer = answers.setdefault(text.lower(), {"score": 0.0, "start": first, "end": last, "answer": text})
                answer["score"] = float(answer["score"]) + score
        nothing: dict[str, float | int | str] = {"score": no_answer, "start": 0, "end": 0, "answer": ""}
        candidates = list(answers.values())
        if options.handle_impossible_answer:
            candidates.append(nothing)
        ranked = sorted(candidates, key=lambda answer: -float(answer["score"])) or [{**nothing, "score": 0.0}]
        if options.return_no_answer_score:
            ranked = [{**answer, "no_answer_score": no_answer} for answer in ranked]
        return ranked[0] if options.top_k == 1 else ranked[: options.top_k]

    def _window_length(self, options: QuestionAnsweringOptions) -> int:
        if options.max_seq_len is None:
            return min(length_limit(self.model, self.tokenizer) or LONGEST_WINDOW, LONGEST_WINDOW)
        if self.model.max_positions is not None and options.max_seq_len > self.model.max_positions:
            raise InputError(
                f"max_seq_len={options.max_seq_len}: the model takes at most {self.model.max_positions} tokens"
            )
        return options.max_seq_len

    def _questions(self, items: Sequence[Question], options: QuestionAnsweringOptions) -> tuple[list[str], list[int]]:
        """The questions, cut where the options ask for it, and their lengths in tokens."""
        batch = self.tokenizer([item.question for item in items], add_special_tokens=False, return_offsets_mapping=True)
        texts, sizes = [], []
        for item, offsets in zip(items, batch["offset_mapping"], strict=True):
            size = len(offsets)
            if options.max_question_len is not None and size > options.max_question_len:
                size = options.max_question_len
                texts.append(item.question[: offsets[size - 1][1]])
            else:
                texts.append(item.question)
            sizes.append(size)
        return texts, sizes

    def _answerable(self, window: TextWindow) -> NDArray[np.bool_]:
        """The tokens of the context alone; the reference lets a question that is read second answer itself."""
        context = 1 if self.tokenizer.question_first else 0
        return np.array([sequence == context for sequence in window.sequences])

    def _cls(self, window: TextWindow) -> int | None:
        """Position of the classifier token that was added."""
        ids = window.features["input_ids"]
        places = (place for place, special in enumerate(window.special) if special)
        return next((place for place in places if ids[place] == self.tokenizer.cls_token_id), None)

    def _characters(
        self, item: Question, window: TextWindow, span: AnswerSpan, align_to_words: bool
    ) -> tuple[int, int]:
        """First and past-the-last character of an answer in the context, without the white space at its ends."""
        first, last = span.start, span.end
        words, sequences = window.words, window.sequences
        if align_to_words and words[first] is not None and words[last] is not None:
            while first and (words[first - 1], sequences[first - 1]) == (words[first], sequences[first]):
                first -= 1
            while last + 1 < len(words) and (words[last + 1], sequences[last + 1]) == (words[last], sequences[last]):
                last += 1
        return word_characters(item.context, window.offsets[first][0], window.offsets[last][1])


def _together(questions: Sequence[object], contexts: Sequence[object]) -> list[dict[str, object]]:
    """Each question with its context."""
    if len(questions) != len(contexts):
        raise InputError(f"question-answering: {len(questions)} questions and {len(contexts)} contexts")
    return [{"question": question, "context": own} for question, own in zip(questions, contexts, strict=True)]
