"""DPR's models and its pair of encoders: what the tests of every architecture do not ask."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tfx_core
from tests.retrieval.conftest import WORDS
from tfx_core.embedding import Passage
from tfx_core.errors import InputError
from tfx_core.model import Model
from tfx_core.text import Tokenizer
from tfx_retrieval import build_index, open_index
from tfx_retrieval.pairs import DprEncoder, EncoderPair, load_pair

SIZES: dict[str, Any] = {
    "vocab_size": len(WORDS),
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 40,
}
PASSAGES = [
    Passage("the cat sat on the mat", topic="cat"),
    Passage("a boat sails", topic="the sea"),
    Passage("bread is baked"),
]

Saved = Callable[..., Path]


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """Saves a tiny model with this head and gives its folder."""

    def save(head: str, name: str = "", **changes: Any) -> Path:
        folder = tmp_path / (name or head)
        tfx_core.new_model("dpr", head=head, seed=1, **{**SIZES, **changes}).save_pretrained(folder)
        (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
        return folder

    return save


def loaded(folder: Path) -> tuple[Model, Tokenizer]:
    return tfx_core.load_model(folder), tfx_core.load_tokenizer(folder)


# models


@pytest.mark.parametrize(
    ("text", "sizes"),
    [("roberta", {"pad_token_id": 0}), ("distilbert", {"intermediate_size": 30}), ("electra", {"embedding_size": 12})],
)
@pytest.mark.parametrize("head", ["question-encoder", "context-encoder", "reader"])
def test_any_text_encoder_serves(text: str, sizes: dict[str, Any], head: str, tmp_path: Path) -> None:
    model = tfx_core.new_model(
        "dpr", head=head, seed=1, **{**SIZES, "text_model_type": text, "projection_dim": 6, **sizes}
    ).eval()
    ids = torch.tensor([[2, 7, 8, 3], [2, 9, 3, 0]])
    mask = (ids > 0).long()
    output = model(ids, attention_mask=mask)
    shapes = {name: tuple(value.shape) for name, value in output.items()}
    spans = {"start_logits": (2, 4), "end_logits": (2, 4), "relevance_logits": (2,)}
    assert shapes == (spans if head == "reader" else {"pooler_output": (2, 6)})
    model.save_pretrained(tmp_path)
    again = tfx_core.load_model(tmp_path)
    assert (again.config, again.head_name) == (model.stored_config(), head)
    for name, value in again(ids, attention_mask=mask).items():
        torch.testing.assert_close(value, output[name])


def test_it_may_begin_with_the_weights_of_a_text_encoder() -> None:
    text = tfx_core.new_model("bert", seed=4, **SIZES)
    model = tfx_core.new_model("dpr", head="question-encoder", **SIZES).eval()
    model.backbone.load_state_dict(text.backbone.state_dict(), strict=False)
    ids = torch.tensor([[2, 7, 8, 3]])
    torch.testing.assert_close(model(ids).pooler_output, text.eval()(ids).last_hidden_state[:, 0])


def test_the_other_encoder_of_a_pair_is_told(saved: Saved, caplog: pytest.LogCaptureFixture) -> None:
    folder = saved("context-encoder", projection_dim=6)
    tfx_core.load_model(folder)
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        model = tfx_core.load_model(folder, head="question-encoder")
    assert [each.getMessage() for each in caplog.records] == [
        "these are the weights of a context-encoder (DPRContextEncoder), read as a question-encoder"
    ]
    theirs = tfx_core.load_model(folder)
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), theirs.parameters(), strict=True))


def test_a_reader_keeps_a_projection_and_does_not_read_it(saved: Saved, tmp_path: Path) -> None:
    model = tfx_core.load_model(saved("reader", projection_dim=6))
    before = model(torch.tensor([[2, 7, 8, 3]])).relevance_logits
    with torch.no_grad():
        model.head.projection.weight.fill_(7)
    assert torch.equal(model(torch.tensor([[2, 7, 8, 3]])).relevance_logits, before)
    model.save_pretrained(tmp_path / "again")
    assert (tfx_core.load_model(tmp_path / "again").head.projection.weight == 7).all()


# encoders


def test_passages_enter_as_title_separator_text_of_one_type(saved: Saved) -> None:
    model, tokenizer = loaded(saved("context-encoder"))
    vectors = DprEncoder(model, tokenizer).encode_passages(PASSAGES)
    for vector, passage in zip(vectors, PASSAGES, strict=True):
        title = [f"{passage.topic} [SEP]"] if passage.topic else []
        ids = tokenizer(" ".join([*title, passage.text]), return_tensors="pt")["input_ids"]
        with torch.no_grad():
            expected = model(ids, token_type_ids=torch.zeros_like(ids)).pooler_output[0].numpy()
        np.testing.assert_allclose(vector, expected, rtol=1e-4, atol=1e-5)
    assert np.linalg.norm(vectors, axis=-1).min() > 1.5  # no normalisation


def test_a_long_text_is_cut_before_its_title(saved: Saved) -> None:
    encoder = DprEncoder(*loaded(saved("context-encoder")), max_length=8)
    long = Passage("the cat sat on the mat on the mat", topic="the boat")
    cut = Passage("the cat sat", topic="the boat")
    np.testing.assert_allclose(encoder.encode_passages([long]), encoder.encode_passages([cut]), rtol=1e-5, atol=1e-6)
    assert encoder.cuts(long.text)
    assert not encoder.cuts(cut.text)


def test_batches_of_any_size_and_no_text_at_all(saved: Saved) -> None:
    model, tokenizer = loaded(saved("question-encoder", projection_dim=6))
    texts = [passage.text for passage in PASSAGES]
    together = DprEncoder(model, tokenizer).encode_query(texts)
    assert together.shape == (3, 6)
    alone = DprEncoder(model, tokenizer, batch_tokens=1)
    np.testing.assert_allclose(alone.encode_query(texts), together, rtol=1e-4, atol=1e-5)
    assert alone.encode_query([]).shape == (0, 6)


def test_a_pair_searches_its_index(saved: Saved, tmp_path: Path) -> None:
    pair = load_pair(saved("context-encoder"), saved("question-encoder"))
    heard: list[int] = []
    build_index(PASSAGES, pair, tmp_path / "index", progress=heard.append)
    assert sum(heard) == 3
    index = open_index(tmp_path / "index", pair)
    assert str(index.manifest.model).endswith("context-encoder")
    context = DprEncoder(*loaded(tmp_path / "context-encoder"))
    np.testing.assert_allclose(index.vectors([0, 1, 2]), context.encode_passages(PASSAGES), rtol=1e-5, atol=1e-6)
    assert {hit.row for hit in index.search(["the cat"], k=3)[0]} == {0, 1, 2}


def test_a_pair_of_text_encoders(tiny_bert: Path, other_bert: Path) -> None:
    pair = load_pair(tiny_bert, other_bert)
    texts = ["the cat sat"]
    np.testing.assert_allclose(pair.encode_document(texts), tfx_core.load_encoder(tiny_bert).encode(texts), atol=1e-6)
    np.testing.assert_allclose(pair.encode_query(texts), tfx_core.load_encoder(other_bert).encode(texts), atol=1e-6)
    assert not hasattr(pair, "encode_passages")
    assert pair.limit == 16


def test_encoders_that_are_no_pair_are_refused(saved: Saved, tiny_bert: Path) -> None:
    context, question = saved("context-encoder"), saved("question-encoder", projection_dim=6)
    with pytest.raises(InputError, match="encoder of passages alone, with which no question can be asked"):
        load_pair(context)
    with pytest.raises(InputError, match="holds a question-encoder, not a context-encoder"):
        load_pair(question, context)
    with pytest.raises(InputError, match="of questions have 6 numbers, those of passages 24"):
        EncoderPair(DprEncoder(*loaded(question)), DprEncoder(*loaded(context)))
    with pytest.raises(InputError, match="needs a model with the head 'question-encoder' or 'context-encoder'"):
        DprEncoder(*loaded(saved("reader")))
