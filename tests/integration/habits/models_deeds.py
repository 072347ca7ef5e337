"""Methods and attributes of a model."""

import tempfile
from typing import Any

import pytest
from torch import nn

import tfx_core
from tests.integration.habits.world import VOCABULARY, World
from tfx_core.errors import InputError


def check(truth: object) -> None:
    assert truth


def language_model(world: World) -> Any:
    return world.model("bert", "masked-lm")


def save_pretrained(world: World) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world.model().save_pretrained(folder)


def for_new_tokens(world: World) -> None:
    model = language_model(world)
    assert model.resize_token_embeddings(VOCABULARY + 1) is model.get_input_embeddings()
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert model(**world.batch()).logits.shape[-1] == model.config.vocab_size == VOCABULARY + 1


def resized(**arguments: Any) -> Any:
    def resize(world: World) -> None:
        model = language_model(world)
        assert model.resize_token_embeddings(**arguments).num_embeddings == model.config.vocab_size == 320

    return resize


def exchanged(world: World) -> None:
    model = language_model(world)
    table = nn.Embedding(VOCABULARY, model.config.hidden_size)
    model.set_input_embeddings(table)
    assert model.get_input_embeddings() is table
    assert model.get_output_embeddings().weight is not table.weight
    model.tie_weights()
    assert model.get_output_embeddings().weight is table.weight


def output_exchanged(world: World) -> None:
    model = language_model(world)
    layer = nn.Linear(model.config.hidden_size, VOCABULARY)
    model.set_output_embeddings(layer)
    assert model.get_output_embeddings() is layer
    assert world.model().get_output_embeddings() is None


def beyond(world: World) -> None:
    tokenizer = world.tokenizer()
    tokenizer.add_tokens(["<new>"])
    with pytest.raises(InputError, match="resize_token_embeddings"):
        tfx_core.pipeline("feature-extraction", model=world.model(), tokenizer=tokenizer)
    world.model()(tokenizer("a <new> token", return_tensors="pt")["input_ids"])


PARTS = (
    *("transformer", "model", "classifier", "score", "lm_head", "cls", "qa_outputs", "classification_head"),
    *("from_pretrained_question_encoder_generator", "set_retriever"),
)

DEEDS = {
    ("model", "ids beyond the vocabulary"): beyond,
    ("model", "the model_type as an attribute"): lambda world: world.model().bert,
    **{("model", name): lambda world, name=name: getattr(world.model(), name) for name in PARTS},
    ("model", "save_pretrained(folder)"): save_pretrained,
    ("model", "get_input_embeddings()"): exchanged,
    ("model", "set_input_embeddings(module)"): exchanged,
    ("model", "get_output_embeddings()"): output_exchanged,
    ("model", "set_output_embeddings(module)"): output_exchanged,
    ("model", "resize_token_embeddings(len(tokenizer))"): for_new_tokens,
    ("model", "resize_token_embeddings(pad_to_multiple_of=64)"): resized(pad_to_multiple_of=64),
    ("model", "resize_token_embeddings(…, mean_resizing=False)"): resized(new_num_tokens=320, mean_resizing=False),
    ("model", "tie_weights()"): exchanged,
    ("model", "model.config.vocab_size"): lambda world: check(language_model(world).config.vocab_size == VOCABULARY),
}
