"""A model with the tokenizer of its family: it takes what that makes, and what it finds are words of the text."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import tfx_core
from tfx_testing.architectures.base import CaseChecks
from tfx_testing.checks import Values, each
from tfx_testing.released import has_tokenizer, model_with_tokenizer, released
from tfx_testing.tiny import random_ids, target_ids

TEXTS = [
    "hello abc",
    "  Anna lives\tin New\nYork  City. ",
    "Éire and Zoë\n\nsaw \U0001f600 there",
    "a{b c{",
    "東京 に 住む",
]


def with_tokenizer(*heads: str) -> Values:
    """Of these heads those that are checked, where the case has a tokenizer."""

    def found(cls: type[CaseChecks]) -> Sequence[str]:
        return [head for head in heads if head in cls.heads()] if has_tokenizer(cls.case) else []

    return found


class TextChecks(CaseChecks):
    """Texts, and results that are pieces of them."""

    @each(head=with_tokenizer("backbone"))
    def test_a_model_takes_what_its_tokenizer_makes(self, head: str, tmp_path: Path) -> None:
        """Every column that the tokenizer makes is an input of the model, which gives of it as many states as of ids.

        Where it is not: ``model_input_names`` of the recipe's facts name one that the backbone's ``forward`` lacks.
        """
        folder = released(self.case, tmp_path, tokenizer_class="TokenizersBackend")
        tokenizer = tfx_core.load_tokenizer(folder)
        ids = random_ids(self.case, 1, 4)
        inputs = {column: ids if column == "input_ids" else ids * 0 + 1 for column in tokenizer("a")}
        model = tfx_core.new_model(self.case.model_type, head=head, seed=1, **self.case.tiny).eval()
        least = {name: value for name, value in inputs.items() if name in ("input_ids", "attention_mask")}
        given, alone = (model(**each, **target_ids(self.case, head, 1)).last_hidden_state for each in (inputs, least))
        assert given.shape == alone.shape, f"with {', '.join(inputs)}, and with {', '.join(least)} alone"

    @each(head=with_tokenizer("token-classification"))
    @pytest.mark.parametrize("strategy", ["simple", "first", "average", "max"])
    def test_entities_are_words_of_the_text(self, head: str, strategy: str, tmp_path: Path) -> None:
        """The task ``token-classification`` finds entities that stand in the text as they are given, blanks apart.

        Where it does not: offsets of the tokenizer count letters after its normalizer, or include the blank before a
        word; or a recipe with parts in Python keeps no track of places.
        """
        tag = self._pipeline("token-classification", head, tmp_path, aggregation_strategy=strategy)
        for text, entities in zip(TEXTS, tag(TEXTS), strict=True):
            assert entities, f"no entity in {text!r}"
            for entity in entities:
                word = text[entity["start"] : entity["end"]]
                assert entity["word"] == word == word.strip() != "", f"an entity of {text!r}"
                assert "\ufffd" not in word, f"half a letter of {text!r}"
        if strategy != "simple":  # whose entities may begin within a word
            (entities,) = tag(TEXTS[1:2])
            assert "".join("".join(entity["word"].split()) for entity in entities) == "".join(TEXTS[1].split())

    @each(head=with_tokenizer("question-answering"))
    def test_answers_are_words_of_the_context(self, head: str, tmp_path: Path) -> None:
        """The task ``question-answering`` finds answers that stand in the context as they are given.

        Where it does not: see the check of entities; what places tokens have is the tokenizer's to say.
        """
        ask = self._pipeline("question-answering", head, tmp_path, top_k=20)
        for text in TEXTS:
            for answer in ask({"question": "Who?", "context": text}):
                words = text[answer["start"] : answer["end"]]
                assert answer["answer"] == words == words.strip() != "", f"an answer in {text!r}"
        # of blanks, or parts of letters, mostly
        for text in (*TEXTS, "e\u0301e\u0301 \u00e9", "a \n\n\n", " \t \t\ta"):
            answer = ask({"question": "Who?", "context": text}, top_k=1, align_to_words=False)
            assert answer["answer"], f"no answer in {text!r}"

    def _pipeline(self, task: str, head: str, folder: Path, **options: Any) -> Any:
        """A task with a random model, and the released tokenizer with a token that was added."""
        tokenizer = tfx_core.load_tokenizer(released(self.case, folder))
        tokenizer.add_tokens(["{"])
        model = model_with_tokenizer(self.case, head, tokenizer)
        return tfx_core.pipeline(task, model=model, tokenizer=tokenizer, **options)
