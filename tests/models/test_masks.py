"""Masks are filled with any model that predicts masked tokens, on the tokenizer that its family released."""

from pathlib import Path
from typing import Any

import pytest

import tfx_core
from tests.core.tasks.results import same
from tests.models.test_words import pipeline, with_head
from tests.models.tiny import random_ids, tiny_config
from tfx_core.errors import InputError
from tfx_core.plugins import TaskSpec, registry
from tfx_core.tasks import ItemError


@pytest.fixture
def fills(tmp_path: Path) -> list[Any]:
    """A pipeline of each architecture that has the head, and of each whose pretraining predicts tokens."""
    plain = [pipeline("fill-mask", "masked-lm", name, tmp_path / name) for name in with_head("masked-lm")]
    return plain + [
        pipeline("fill-mask", "pretraining", name, tmp_path / f"pretraining {name}")
        for name in with_head("pretraining")
        if "prediction_logits" in outputs(name)
    ]


def outputs(name: str) -> list[str]:
    """What a model with the head "pretraining" gives."""
    model = tfx_core.new_model(name, head="pretraining", seed=0, **tiny_config(name))
    return [*model(random_ids(name, 1, 4))]


def around(fill: Any, before: str = "hello ", after: str = " world") -> str:
    return f"{before}{fill.tokenizer.mask_token}{after}"


def test_what_fills_a_mask_stands_in_the_text_once(fills: list[Any]) -> None:
    for fill in fills:
        for text in (around(fill), around(fill, ""), around(fill, after="")):
            rest = text.replace(fill.tokenizer.mask_token, "")
            found = {each["token_str"].strip(): each["sequence"] for each in fill(text, top_k=len(fill.tokenizer))}
            words = {word: sequence for word, sequence in found.items() if word.isascii() and word.isalnum()}
            assert len(words) > 30
            for word, sequence in words.items():
                assert sequence.count(word) == rest.count(word) + 1, (word, sequence)
                assert len("".join(sequence.split())) == len(word + "".join(rest.split()))


def test_a_blank_before_the_mask_is_part_of_it(fills: list[Any]) -> None:
    for fill in fills:
        same(fill(around(fill, "hello")), fill(around(fill)))


def test_several_masks_are_filled_one_by_one(fills: list[Any]) -> None:
    for fill in fills:
        mask = fill.tokenizer.mask_token
        first, second = fill(f"{mask} hello {mask}")
        assert len(first) == len(second) == 5
        assert all(mask in each["sequence"].partition("hello")[2] for each in first)
        assert all(mask in each["sequence"].partition("hello")[0] for each in second)


def test_targets_are_tokens_by_their_name_or_of_their_text(fills: list[Any]) -> None:
    for fill in fills:
        every = {each["token"]: each for each in fill(around(fill), top_k=len(fill.tokenizer))}
        names = [token for token, number in fill.tokenizer.get_vocab().items() if number in every][-40:]
        chosen = fill(around(fill), targets=names, top_k=40)
        assert {each["token"] for each in chosen} == {*fill.tokenizer.convert_tokens_to_ids(names)}
        same(chosen, sorted((every[each["token"]] for each in chosen), key=lambda each: -each["score"]))
        (only,) = fill(around(fill), targets="a")
        assert only["token_str"].strip() == "a"


def test_a_text_without_the_mask_is_told(fills: list[Any]) -> None:
    for fill in fills:
        mask = fill.tokenizer.mask_token
        with pytest.raises(ItemError) as caught:
            fill([around(fill), "hello world"])
        assert str(caught.value).startswith(
            f"inputs[1]: the text has no {mask}; this model's mask token marks the place"
        )
        if fill.model.max_positions is not None:
            with pytest.raises(ItemError, match="is cut off"):
                fill("hello " * 200 + mask, truncation=True)


def test_results_are_the_same_alone_and_in_a_batch(fills: list[Any]) -> None:
    for fill in fills:
        texts = [
            around(fill),
            around(fill, "", " b" * 8),
            around(fill, "a, 1 ", ""),
            around(fill, "c " * 5, " world" * 2),
        ]
        for budget in (1, 24, 1000):
            same(fill(texts, batch_tokens=budget), [fill(text) for text in texts])


@pytest.mark.parametrize("head", registry.find(TaskSpec, "fill-mask").heads)
def test_a_head_that_predicts_no_tokens_is_refused(head: str, tmp_path: Path) -> None:
    for name in with_head(head):
        if tfx_core.new_model(name, head=head, **tiny_config(name)).head.output_layer is None:
            with pytest.raises(InputError, match=f"the head '{head}' of this {name} scores no tokens"):
                pipeline("fill-mask", head, name, tmp_path)
        else:
            assert pipeline("fill-mask", head, name, tmp_path).task == "fill-mask"
