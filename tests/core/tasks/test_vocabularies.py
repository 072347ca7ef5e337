"""A model and a tokenizer that do not belong together are told before anything runs."""

import logging
from typing import Any

import pytest

import tfx_core
from tests.core.tasks.conftest import Folder
from tfx_core.errors import InputError
from tfx_testing.toy import VOCABULARY

SIZE = len(VOCABULARY)


def loaded(folder: Folder, **config: Any) -> tuple[Any, Any]:
    saved = folder("masked-lm", **config)
    return tfx_core.load_model(saved), tfx_core.load_tokenizer(saved)


def test_a_token_beyond_the_model_is_an_error_with_the_cure(folder: Folder) -> None:
    model, tokenizer = loaded(folder)
    tfx_core.pipeline("fill-mask", model=model, tokenizer=tokenizer)
    tokenizer.add_tokens(["florp", "glimmer"])
    said = rf"'florp' the id {SIZE}, and the model has {SIZE} tokens, 0 to {SIZE - 1}; .*resize_token_embeddings"
    for task in ("fill-mask", "feature-extraction"):
        with pytest.raises(InputError, match=rf"^{model.origin}: the tokenizer gives {said}"):
            tfx_core.pipeline(task, model=tfx_core.load_model(model.origin), tokenizer=tokenizer)
    with pytest.raises(InputError, match=said):
        tfx_core.TextEncoder(model, tokenizer)


def test_the_token_for_masks_alone_may_be_beyond(folder: Folder) -> None:
    model, tokenizer = loaded(folder)
    tokenizer.add_tokens(["<gap>"])
    tokenizer.mask_token = "<gap>"
    tfx_core.pipeline("fill-mask", model=model, tokenizer=tokenizer)


@pytest.mark.parametrize(("more", "told"), [(0, False), (128, False), (129, True), (20_000, True)])
def test_a_vocabulary_that_is_far_smaller_is_one_line(
    more: int, told: bool, folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    model, tokenizer = loaded(folder, vocab_size=SIZE + more)
    with caplog.at_level(logging.WARNING, "tfx_core"):
        tfx_core.pipeline("fill-mask", model=model, tokenizer=tokenizer)
    line = f"{model.origin}: the tokenizer knows {SIZE} tokens, and the model {SIZE + more}: is it another model's?"
    assert caplog.messages == [line] * told


def test_a_backbone_that_does_not_say_where_its_table_is(folder: Folder) -> None:
    model, _ = loaded(folder)
    for refused in (model.get_input_embeddings, lambda: model.resize_token_embeddings(99)):
        with pytest.raises(InputError, match="the backbone of toy does not say what its token_tables are"):
            refused()
    assert model.get_output_embeddings() is model.head.predictions
