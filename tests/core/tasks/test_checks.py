"""The conformance kit, of the core's own tasks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import tfx_core
from tests.core.tasks import counting
from tfx_testing import TaskChecks
from tfx_testing.tasks import toy_texts


class TestFillMask(TaskChecks):
    task = "fill-mask"
    inputs: ClassVar = [f"{text} [MASK]" for text in toy_texts(40)]


class TestTextClassification(TaskChecks):
    task = "text-classification"
    inputs: ClassVar = toy_texts(40)


class TestTokenClassification(TaskChecks):
    task = "token-classification"
    inputs: ClassVar = toy_texts(40)
    settings: ClassVar = {"num_labels": 3}


class TestQuestionAnswering(TaskChecks):
    task = "question-answering"
    inputs: ClassVar = [{"question": "who ?", "context": text} for text in toy_texts(40, 60)]
    exceptions: ClassVar = {
        "test_results_do_not_depend_on_the_side_of_padding": "the side says whether the question comes first"
    }


class TestFeatureExtraction(TaskChecks):
    task = "feature-extraction"
    inputs: ClassVar = toy_texts(40)


class TestTextGeneration(TaskChecks):
    task = "text-generation"
    options: ClassVar = {"max_new_tokens": 3, "do_sample": False}


class TestPerplexity(TaskChecks):
    task = "perplexity"
    inputs: ClassVar = [f"dog {text}" for text in toy_texts(20)]  # of one token nothing is predicted


class TestCounting(TaskChecks):
    task = "count"
    options: ClassVar = {"times": 2}
    exceptions: ClassVar = {"test_a_bad_input_is_told_by_its_place": "it counts whatever it is given"}

    @classmethod
    @contextmanager
    def surroundings(cls) -> Iterator[Any]:
        with tfx_core.register(counting.Plugin(), name="tfx-counting"), super().surroundings():
            yield
