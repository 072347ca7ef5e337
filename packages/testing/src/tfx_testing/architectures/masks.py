"""Masks are filled with a model that predicts masked tokens, on the tokenizer that its family released."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import tfx_core
from tfx_core.errors import InputError
from tfx_core.plugins import TaskSpec, registry
from tfx_core.tasks import ItemError
from tfx_testing.architectures.base import CaseChecks
from tfx_testing.architectures.text import with_tokenizer
from tfx_testing.checks import each
from tfx_testing.comparing import same
from tfx_testing.released import model_with_tokenizer, released_with

TASK = "fill-mask"


def asked_heads(cls: type[CaseChecks]) -> Sequence[str]:
    """The heads that the task may be asked to fill masks with."""
    return with_tokenizer(*registry.find(TaskSpec, TASK).heads)(cls)


def filling_heads(cls: Any) -> Sequence[str]:
    """Those of them that predict tokens."""
    return [head for head in asked_heads(cls) if _predicts_tokens(cls, head)]


@cache
def _predicts_tokens(cls: Any, head: str) -> bool:
    model = tfx_core.new_model(cls.case.model_type, head=head, seed=0, **cls.case.tiny)
    return model.head.output_layer is not None


class MaskFillingChecks(CaseChecks):
    """The task ``fill-mask``."""

    def _fill(self, head: str, folder: Path) -> Any:
        """The task with a random model; a tokenizer without a mask is given one."""
        tokenizer = tfx_core.load_tokenizer(released_with("mask_token", "<mask>", self.case, folder))
        tokenizer.add_tokens(["{"])
        return tfx_core.pipeline(TASK, model=model_with_tokenizer(self.case, head, tokenizer), tokenizer=tokenizer)

    @each(head=filling_heads)
    def test_what_fills_a_mask_stands_in_the_text_once(self, head: str, tmp_path: Path) -> None:
        """The text of each answer is the given one with the answer in the place of the mask, and nothing else changed.

        Where it is not: decoding joins the answer with the word beside it, or leaves out special tokens of the text.
        """
        fill = self._fill(head, tmp_path)
        for text in (around(fill), around(fill, ""), around(fill, after="")):
            rest = text.replace(fill.tokenizer.mask_token, "")
            found = {each["token_str"].strip(): each["sequence"] for each in fill(text, top_k=len(fill.tokenizer))}
            words = {word: sequence for word, sequence in found.items() if word.isascii() and word.isalnum()}
            assert len(words) > 30, "of every letter and digit one was to be found"
            for word, sequence in words.items():
                assert sequence.count(word) == rest.count(word) + 1, f"{text!r} with {word!r} is {sequence!r}"
                letters = len("".join(sequence.split()))
                assert letters == len(word + "".join(rest.split())), f"{text!r} with {word!r} is {sequence!r}"

    @each(head=filling_heads)
    def test_a_blank_before_the_mask_is_part_of_it(self, head: str, tmp_path: Path) -> None:
        """``"hello<mask>"`` and ``"hello <mask>"`` are filled with the same.

        Where they are not: the mask token of the recipe does not take the blank before it (``lstrip``), though pieces
        of words carry theirs.
        """
        fill = self._fill(head, tmp_path)
        same(fill(around(fill, "hello")), fill(around(fill)))

    @each(head=filling_heads)
    def test_several_masks_are_filled_one_by_one(self, head: str, tmp_path: Path) -> None:
        """Of a text with two masks there are two lists of answers, each with the other mask left as it is.

        Where there are not: the mask is not one of the tokenizer's special tokens, or decoded to something else.
        """
        fill = self._fill(head, tmp_path)
        mask = fill.tokenizer.mask_token
        first, second = fill(f"{mask} hello {mask}")
        assert len(first) == len(second) == 5
        assert all(mask in each["sequence"].partition("hello")[2] for each in first)
        assert all(mask in each["sequence"].partition("hello")[0] for each in second)

    @each(head=filling_heads)
    def test_targets_are_tokens_by_their_name_or_of_their_text(self, head: str, tmp_path: Path) -> None:
        """``targets`` narrows the answers to tokens, given as the vocabulary spells them or as text, with their scores.

        Where it does not: tokens of the vocabulary are spelled in another way than the tokenizer gives them.
        """
        fill = self._fill(head, tmp_path)
        every = {each["token"]: each for each in fill(around(fill), top_k=len(fill.tokenizer))}
        names = [token for token, number in fill.tokenizer.get_vocab().items() if number in every][-40:]
        chosen = fill(around(fill), targets=names, top_k=40)
        assert {each["token"] for each in chosen} == {*fill.tokenizer.convert_tokens_to_ids(names)}
        same(chosen, sorted((every[each["token"]] for each in chosen), key=lambda each: -each["score"]))
        (only,) = fill(around(fill), targets="a")
        assert only["token_str"].strip() == "a"

    @each(head=filling_heads)
    def test_a_text_without_the_mask_is_told(self, head: str, tmp_path: Path) -> None:
        """A text without a mask, or with one that is cut off, is an `ItemError` that names the text and the token.

        Where it is not: the tokenizer makes its mask of a text that has none, or of nothing.
        """
        fill = self._fill(head, tmp_path)
        mask = fill.tokenizer.mask_token
        with pytest.raises(ItemError) as caught:
            fill([around(fill), "hello world"])
        said = f"inputs[1]: the text has no {mask}; this model's mask token marks the place"
        assert str(caught.value).startswith(said)
        if fill.model.max_positions is not None:
            with pytest.raises(ItemError, match="is cut off"):
                fill("hello " * 200 + mask, truncation=True)

    @each(head=filling_heads)
    def test_results_are_the_same_alone_and_in_a_batch(self, head: str, tmp_path: Path) -> None:
        """Answers do not depend on the texts beside them, nor on the size of a batch.

        Where they do: padding reaches the head, or the side of padding moves positions.
        """
        fill = self._fill(head, tmp_path)
        texts = [
            around(fill),
            around(fill, "", " b" * 8),
            around(fill, "a, 1 ", ""),
            around(fill, "c " * 5, " world" * 2),
        ]
        for budget in (1, 24, 1000):
            same(fill(texts, batch_tokens=budget), [fill(text) for text in texts])

    @each(head=asked_heads)
    def test_a_head_that_predicts_no_tokens_is_refused(self, head: str, tmp_path: Path) -> None:
        """A head of a name that fills masks with others, and that has no scores of tokens here, is an `InputError`.

        Where it is not: `Head.output_layer` names a layer whose outputs are no scores of the vocabulary.
        """
        if head in filling_heads(type(self)):
            assert self._fill(head, tmp_path).task == TASK
            return
        with pytest.raises(InputError, match=f"the head '{head}' of this {self.case.model_type} scores no tokens"):
            self._fill(head, tmp_path)


def around(fill: Any, before: str = "hello ", after: str = " world") -> str:
    """A text around the mask."""
    return f"{before}{fill.tokenizer.mask_token}{after}"
