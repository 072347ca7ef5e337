"""Encoders of sentences of every architecture that has a state of each token: what folders say is what is computed."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import tfx_core
from tests.cases import readers_of_text
from tests.models.test_tokenizers import released
from tests.models.tiny import perturbed, tiny_config
from tfx_core.embedding import pool
from tfx_core.embedding.sentence_folder import Dense, Normalize
from tfx_core.model import load_architecture

NAMES = [
    spec.name
    for spec in readers_of_text()
    if "token-states" in spec.capabilities and load_architecture(spec.name).text is not None
]
TEXTS = ["hello abc", "ab world hello 3 ", "a", "abc " * 60, "Hello, world"]
OLD, NEW = "sentence_transformers.models", "sentence_transformers.base.modules"
PROMPTS = {"query": "ab: ", "passage": "abc hello: "}


@pytest.fixture(params=NAMES)
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A tiny model with every parameter perturbed, and its family's tokenizer."""
    name, heads = request.param, load_architecture(request.param).heads
    folder = tmp_path / "checkpoint"
    tokenizer = tfx_core.load_tokenizer(released(name, tmp_path / "released"))
    head = "encoder-only" if "encoder-only" in heads else "backbone"
    model = tfx_core.new_model(name, head=head, seed=1, **{**tiny_config(name), "vocab_size": len(tokenizer)})
    perturbed(model, 2, 0.1).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def states(encoder: tfx_core.TextEncoder, text: str) -> Tensor:
    """Of the tokens of one text (S, D), as many as the encoder reads."""
    batch = encoder.tokenizer(text, truncation=True, max_length=encoder.max_length, return_tensors="pt")
    with torch.no_grad():
        found: Tensor = encoder.model(**batch).last_hidden_state[0]
    return found


def same(vectors: Any, expected: Sequence[Tensor]) -> None:
    np.testing.assert_allclose(vectors, torch.stack(list(expected)), rtol=1e-4, atol=1e-5)


def test_vectors_are_the_first_or_the_mean_state_and_what_follows(checkpoint: Path, tmp_path: Path) -> None:
    plain = tfx_core.load_encoder(checkpoint, pooling="mean", max_length=20)
    width = plain.dimension
    torch.manual_seed(0)
    linear = nn.Linear(2 * width, 5)
    for number, (pooling, stages, by_hand) in enumerate((
        ("cls", [Normalize()], lambda x: F.normalize(x[0], dim=0)),
        ("mean", [Normalize()], lambda x: F.normalize(x.mean(0), dim=0)),
        (["cls", "mean"], [Dense(linear, nn.GELU())], lambda x: F.gelu(linear(torch.cat([x[0], x.mean(0)])))),
    )):  # fmt: skip
        folder = tmp_path / str(number)
        options: Any = {"pooling": pooling, "stages": stages, "prompts": PROMPTS, "max_length": 20}
        tfx_core.TextEncoder(plain.model, plain.tokenizer, **options).save_pretrained(folder)
        encoder = tfx_core.load_encoder(folder)
        with torch.no_grad():
            same(encoder.encode(TEXTS), [by_hand(states(plain, text)) for text in TEXTS])
            same(encoder.encode_query(TEXTS), [by_hand(states(plain, "ab: " + text)) for text in TEXTS])
            same(encoder.encode_document(TEXTS), [by_hand(states(plain, "abc hello: " + text)) for text in TEXTS])


def test_every_pooling_is_of_a_text_whatever_its_batch(checkpoint: Path) -> None:
    for how in tfx_core.embedding.POOLINGS:
        encoder = tfx_core.load_encoder(checkpoint, pooling=how, max_length=20)
        alone = [states(encoder, text) for text in TEXTS]
        same(encoder.encode(TEXTS), [pool(each[None], torch.ones(1, len(each)), how)[0] for each in alone])


def as_of_old(folder: Path, checkpoint: Path, length: int) -> None:
    """Until release 2.0: the encoder in a folder of its own, with settings named after its type."""
    shutil.copytree(checkpoint, folder / "0_Transformer")
    model_type = json.loads((checkpoint / "config.json").read_text())["model_type"]
    known = model_type if model_type in ("roberta", "distilbert", "albert", "xlm-roberta", "xlnet") else "bert"
    settings = {"max_seq_length": length, "do_lower_case": True}
    (folder / f"0_Transformer/sentence_{known}_config.json").write_text(json.dumps(settings))
    flags = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False, "pooling_mode_max_tokens": False}
    steps(folder, OLD, "0_Transformer", {"word_embedding_dimension": 24, **flags})


def as_until_five(folder: Path, checkpoint: Path, length: int) -> None:
    shutil.copytree(checkpoint, folder)
    settings = {"max_seq_length": length, "do_lower_case": True}
    (folder / "sentence_bert_config.json").write_text(json.dumps(settings))
    steps(folder, OLD, "", {"word_embedding_dimension": 24, "pooling_mode_cls_token": True, "include_prompt": True})


def as_in_six(folder: Path, checkpoint: Path, length: int) -> None:
    """Which writes no length and no case: the tokenizer has them."""
    shutil.copytree(checkpoint, folder)
    settings = {
        "transformer_task": "feature-extraction",
        "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
        "module_output_name": "token_embeddings",
    }
    (folder / "sentence_bert_config.json").write_text(json.dumps(settings))
    steps(folder, NEW, "", {"embedding_dimension": 24, "pooling_mode": "cls", "include_prompt": True})


def steps(folder: Path, package: str, transformer: str, pooling: dict[str, Any]) -> None:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling))
    named = {transformer: "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    made = [{"path": path, "type": f"{package}.{kind}"} for path, kind in named.items()]
    (folder / "modules.json").write_text(json.dumps(made))


def test_folders_of_every_release_are_one_encoder(checkpoint: Path, tmp_path: Path) -> None:
    plain = tfx_core.load_encoder(checkpoint, pooling="cls")
    expected = plain.encode([text.lower() for text in TEXTS], normalize=True)
    # folders name as many tokens as the table of positions has, some of which no text uses
    length = plain.model.config.max_position_embeddings or 512
    for number, write in enumerate((as_of_old, as_until_five, as_in_six)):
        write(tmp_path / str(number), checkpoint, length)
        encoder = tfx_core.load_encoder(tmp_path / str(number))
        assert encoder.max_length == (plain.max_length or (length if write is not as_in_six else None))
        lowered = TEXTS if encoder.lower_case else [text.lower() for text in TEXTS]
        np.testing.assert_allclose(encoder.encode(lowered), expected, rtol=1e-4, atol=1e-5)
