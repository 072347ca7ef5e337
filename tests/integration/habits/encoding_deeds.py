"""What users of sentence-transformers do with a model, making it, ``encode``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tfx_core
from tests.integration.habits.loading_deeds import hub_deeds, told
from tests.integration.habits.world import World
from tfx_core.errors import InputError
from tfx_core.habits import encoding

TEXTS = ["one text", "another, longer one", ""]
PROMPTS = {"query": "ask: ", "document": "say: "}


def folder(world: World) -> Path:
    """A sentence-transformers folder."""
    path = world.root / "encoder"
    if not path.exists():
        tfx_core.TextEncoder(world.model(), world.tokenizer(), prompts=PROMPTS).save(path)
    return path


def encoder(world: World, **keywords: Any) -> tfx_core.TextEncoder:
    return tfx_core.load_encoder(folder(world), **keywords)


def encode(world: World, **keywords: Any) -> Any:
    return encoder(world).encode(TEXTS, **keywords)


def check(truth: object) -> None:
    assert truth


def equal(a: Any, b: Any) -> None:
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-4, atol=1e-6)


def single(world: World) -> None:
    vector = encoder(world).encode(TEXTS[0])
    assert vector.shape == (encoder(world).dimension,)
    equal(vector, encode(world)[0])


def prompted(way: str, name: str) -> Callable[[World], object]:
    def deed(world: World) -> None:
        plain = encoder(world).encode([PROMPTS[name] + text for text in TEXTS])
        equal(getattr(encoder(world), way)(TEXTS), plain)
        equal(getattr(encoder(world), way)(TEXTS[0], prompt=""), encode(world)[0])

    return deed


def alike(world: World) -> None:
    mine, vectors = encoder(world), encode(world)
    dot = vectors @ vectors.T
    assert mine.similarity(vectors, vectors[:2]).shape == (3, 2)
    lengths = np.linalg.norm(vectors, axis=1)
    equal(mine.similarity(vectors, [torch.from_numpy(each) for each in vectors]), dot / np.outer(lengths, lengths))
    assert mine.similarity(vectors[0], vectors[1]).shape == (1, 1)


def named_measures(world: World) -> None:
    mine, vectors = encoder(world), encode(world)
    assert mine.similarity_fn_name == "cosine"
    apart = vectors[:, None] - vectors[None]
    measures = {
        "dot": vectors @ vectors.T,
        "euclidean": -np.sqrt((apart**2).sum(-1)),
        "manhattan": -np.abs(apart).sum(-1),
    }
    for name, expected in measures.items():
        mine.similarity_fn_name = name
        np.testing.assert_allclose(mine.similarity(vectors, vectors), expected, rtol=1e-4, atol=1e-3)
    with pytest.raises(InputError, match="similarity_fn_name='x': must be one of cosine, dot, euclidean, manhattan"):
        mine.similarity_fn_name = "x"


def saved(way: str) -> Callable[[World], object]:
    def deed(world: World) -> None:
        path = world.root / f"encoder-{way}"
        getattr(encoder(world), way)(path)
        again = tfx_core.load_encoder(path)
        equal(again.encode(TEXTS), encode(world))
        assert again.prompts == PROMPTS

    return deed


def shortened(world: World) -> None:
    mine = encoder(world)
    mine.max_seq_length = 5
    assert (mine.max_seq_length, mine.tokenize(["a text of many bytes"])["input_ids"].shape) == (5, (1, 5))
    equal(mine.encode("a text of many bytes"), encoder(world, max_length=5).encode("a text of many bytes"))
    with pytest.raises(InputError, match="max_seq_length=0: must be"):
        mine.max_seq_length = 0


def bits(world: World) -> None:
    vectors = encode(world)
    steps = (vectors - vectors.min(0)) / ((vectors.max(0) - vectors.min(0)) / 255)
    for precision, least in (("uint8", 0), ("int8", -128)):  # steps is no whole number but at the ends
        counted = encode(world, precision=precision)
        assert counted.dtype == precision
        assert np.abs(counted - (np.floor(steps) + least)).max() <= 1
    packed = np.packbits(vectors > 0, axis=1)
    np.testing.assert_array_equal(encode(world, precision="ubinary"), packed)
    np.testing.assert_array_equal(encode(world, precision="binary"), packed.astype(int) - 128)
    assert encode(world, precision="binary", convert_to_tensor=True).dtype == torch.int8
    with pytest.raises(InputError, match="precision='int8': of a single vector"):
        encoder(world).encode("one", precision="int8")


def truncated(world: World) -> None:
    whole = encode(world)
    equal(encode(world, truncate_dim=3), whole[:, :3])
    kept = encode(world, truncate_dim=3, normalize_embeddings=True)
    equal(np.linalg.norm(kept, axis=1), np.ones(3))


def truncating(world: World) -> None:
    mine = encoder(world, truncate_dim=3)
    assert (mine.truncate_dim, mine.dimension, mine.encode(TEXTS).shape) == (3, 3, (3, 3))
    mine.truncate_dim = None
    assert mine.encode(TEXTS).shape[1] == mine.dimension > 3


def of_tokens(world: World) -> None:
    states = encode(world, output_value="token_embeddings")
    assert [len(each) for each in states] == [len(each) for each in world.tokenizer()(TEXTS)["input_ids"]]
    equal(torch.stack([each.mean(0) for each in states]), encode(world))


def needless(place: str, theirs: str, nothing: object, something: object) -> Callable[[World], object]:
    def deed(world: World) -> None:
        call, rows = (encode, encoding.ENCODE) if place == "encode" else (encoder, encoding.LOAD_ENCODER)
        call(world, **{theirs: nothing})
        (habit,) = [each for each in rows if each.name == theirs]
        with pytest.raises(InputError) as raised:
            call(world, **{theirs: something})
        assert habit.ours in str(raised.value)
        if not habit.works:
            call(world, **{theirs: something})

    return deed


def in_half(world: World) -> None:
    mine = encoder(world, model_kwargs={"torch_dtype": "float16", "attn_implementation": "eager"})
    assert mine.model.dtype == torch.float16


def attribute(name: str) -> Callable[[World], object]:
    return lambda world: getattr(encoder(world), name)


DEEDS = {
    **hub_deeds("load_encoder", tfx_core.load_encoder),
    ("encoder", "encode('a text')"): single,
    ("encoder", "encode_query(texts)"): prompted("encode_query", "query"),
    ("encoder", "encode_document(texts)"): prompted("encode_document", "document"),
    ("encoder", "similarity(a, b)"): alike,
    ("encoder", "similarity_pairwise(a, b)"): lambda world: equal(
        encoder(world).similarity_pairwise(encode(world), encode(world)), np.ones(3)
    ),
    ("encoder", "similarity_fn_name"): named_measures,
    ("encoder", "to(device)"): lambda world: check(encoder(world).to("cpu").encode("a").shape),
    ("encoder", "device"): lambda world: check(encoder(world).device == torch.device("cpu")),
    ("encoder", "save(folder)"): saved("save"),
    ("encoder", "save_pretrained(folder)"): saved("save_pretrained"),
    ("encoder", "tokenizer"): lambda world: check(encoder(world).tokenizer(TEXTS)["input_ids"]),
    ("encoder", "tokenize(texts)"): lambda world: check(encoder(world).tokenize(TEXTS)["input_ids"].shape[0] == 3),
    ("encoder", "max_seq_length"): shortened,
    ("encoder", "get_max_seq_length()"): lambda world: check(encoder(world).get_max_seq_length()),
    ("encoder", "get_sentence_embedding_dimension()"): lambda world: check(
        encoder(world).get_sentence_embedding_dimension() == encoder(world).dimension
    ),
    ("encoder", "get_embedding_dimension()"): lambda world: check(encoder(world).get_embedding_dimension()),
    ("encoder", "truncate_dim"): truncating,
    ("encoder", "prompts"): lambda world: check(encoder(world).prompts == PROMPTS),
    ("encoder", "encoder[0]"): lambda world: encoder(world)[0],
    **{
        ("encoder", habit.theirs): attribute(habit.theirs)
        for habit in encoding.ENCODER
        if not habit.works and habit.theirs.isidentifier()
    },
    ("load_encoder", "torch_dtype="): lambda world: check(
        encoder(world, torch_dtype=torch.bfloat16).model.dtype == torch.bfloat16
    ),
    ("load_encoder", "device="): lambda world: check(encoder(world, device="auto").device),
    ("load_encoder", "cache_folder="): lambda world: encoder(world, cache_folder=world.root / "kept"),
    ("load_encoder", "prompts="): lambda world: check(encoder(world, prompts={"a": "b"}).prompts["a"] == "b"),
    ("load_encoder", "default_prompt_name="): lambda world: equal(
        encoder(world, default_prompt_name="query").encode(TEXTS), encode(world, prompt_name="query")
    ),
    ("load_encoder", "similarity_fn_name="): lambda world: check(
        encoder(world, similarity_fn_name="dot").similarity_fn_name == "dot"
    ),
    ("load_encoder", "truncate_dim="): truncating,
    ("load_encoder", "model_kwargs="): in_half,
    ("load_encoder", "tokenizer_kwargs="): lambda world: check(
        encoder(world, tokenizer_kwargs={"padding_side": "left"}).tokenizer.padding_side == "left"
    ),
    ("load_encoder", "processor_kwargs="): lambda world: equal(
        encoder(world, processor_kwargs={"padding_side": "left"}).encode(TEXTS), encode(world)
    ),
    ("load_encoder", "config_kwargs="): needless("load_encoder", "config_kwargs", None, {"use_cache": False}),
    ("load_encoder", "trust_remote_code="): needless("load_encoder", "trust_remote_code", False, True),
    ("load_encoder", "backend="): needless("load_encoder", "backend", "torch", "onnx"),
    ("load_encoder", "model_card_data="): needless("load_encoder", "model_card_data", None, {}),
    ("load_encoder", "modules="): told(tfx_core.load_encoder, modules=[]),
    ("encode", "batch_size="): lambda world: equal(encode(world, batch_size=1), encode(world)),
    ("encode", "show_progress_bar="): lambda world: equal(encode(world, show_progress_bar=True), encode(world)),
    ("encode", "output_value="): of_tokens,
    ("encode", "convert_to_numpy="): lambda world: check(
        [type(each) for each in encode(world, convert_to_numpy=False)] == [torch.Tensor] * 3
    ),
    ("encode", "convert_to_tensor="): lambda world: equal(encode(world, convert_to_tensor=True), encode(world)),
    ("encode", "device="): lambda world: equal(encode(world, device="cpu"), encode(world)),
    ("encode", "normalize_embeddings="): lambda world: equal(
        np.linalg.norm(encode(world, normalize_embeddings=True), axis=1), np.ones(3)
    ),
    ("encode", "prompt="): lambda world: equal(encode(world, prompt="ask: "), encode(world, prompt_name="query")),
    ("encode", "prompt_name="): lambda world: equal(
        encode(world, prompt_name="query"), encoder(world).encode(["ask: " + text for text in TEXTS])
    ),
    ("encode", "truncate_dim="): truncated,
    ("encode", "precision="): bits,
    ("encode", "pool="): needless("encode", "pool", None, {"processes": []}),
    ("encode", "chunk_size="): needless("encode", "chunk_size", None, 10),
    ("encode", "encode([(a, b)])"): lambda world: encoder(world).encode([("a question", "a passage")]),
}
