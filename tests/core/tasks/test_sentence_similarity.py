"""How alike texts are: the arithmetic of the vectors that the encoder gives."""

import logging
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

import tfx_core
from tests.core.tasks.conftest import Folder
from tests.core.tasks.test_embedding import SentenceFolder, dense
from tests.core.tasks.test_tasks import texts
from tfx_core.embedding import POOLINGS
from tfx_core.embedding.similarity import SIMILARITIES
from tfx_core.errors import InputError
from tfx_core.fields import forms
from tfx_core.plugins import TaskSpec, registry
from tfx_core.tasks import ItemError
from tfx_core.tasks.pipeline import load_task
from tfx_core.tasks.sentence_similarity import SentenceSimilarityOptions
from tfx_testing.comparing import same

ONE, OTHER = ["bob sings", "a cat", "new york"], ["ann sings", "bob sings"]


@pytest.fixture
def saved(folder: Folder) -> str:
    return folder("backbone")


@pytest.fixture
def compare(saved: str) -> Any:
    return tfx_core.pipeline("sentence-similarity", saved)


@pytest.fixture
def sentence(saved: str, tmp_path: Path) -> SentenceFolder:
    made = dense(
        SentenceFolder(tmp_path / "sentence", saved).pooling(pooling_mode_cls_token=True, include_prompt=False)
    )
    settings = {"prompts": {"ask": "where ? ", "": ""}, "default_prompt_name": "ask", "similarity_fn_name": "dot"}
    return made.write("config_sentence_transformers.json", settings)


def test_the_task_is_what_its_class_says_and_no_head_stands_for_it(saved: str) -> None:
    spec, found = registry.find(TaskSpec, "sentence-similarity"), load_task("sentence-similarity")
    assert (found.name, found.heads) == (spec.name, spec.heads)
    assert tfx_core.pipeline(model=saved).task == "feature-extraction"
    choices = {name: set(get_args(form.kinds[0])) for name, form in forms(SentenceSimilarityOptions).items()}
    assert choices["pooling"] == {*POOLINGS}
    assert choices["similarity_fn_name"] == {*SIMILARITIES}


def test_a_pair_is_a_number_a_text_with_several_a_list_and_two_lists_a_matrix(compare: Any) -> None:
    encoder = compare.encoder
    matrix = encoder.similarity(encoder.encode(ONE), encoder.encode(OTHER)).numpy()
    found = compare((ONE, OTHER))
    assert (found.shape, found.dtype) == ((3, 2), np.float32)
    same(found, matrix)
    assert isinstance(compare((ONE[0], OTHER[0])), float)
    same(compare([(one, OTHER[0]) for one in ONE]), matrix[:, 0].tolist())
    same(compare({"source_sentence": ONE[0], "sentences": OTHER}), matrix[0].tolist())
    same(compare((ONE, OTHER[1])), matrix[:, 1].tolist())
    same(compare(OTHER, source_sentence=ONE[2]), matrix[2].tolist())
    same(compare([[ONE[1], OTHER], [ONE, OTHER]]), [matrix[1].tolist(), matrix])
    assert compare([]) == []
    assert compare("one", ["two", "three"]) == compare(("one", ["two", "three"]))


@pytest.mark.parametrize("how", SIMILARITIES)
def test_vectors_are_compared_as_asked(how: str, compare: Any) -> None:
    one, other = compare.encoder.encode([ONE[0], OTHER[0]])
    expected = {
        "cosine": one @ other / np.linalg.norm(one) / np.linalg.norm(other),
        "dot": one @ other,
        "euclidean": -np.linalg.norm(one - other),
        "manhattan": -np.abs(one - other).sum(),
    }[how]
    assert compare((ONE[0], OTHER[0]), similarity_fn_name=how) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("side", ["right", "left"])
def test_results_depend_neither_on_neighbours_nor_on_batches(side: str, folder: Folder) -> None:
    run = tfx_core.pipeline("sentence-similarity", folder("backbone", padding_side=side))
    pairs = [*zip(texts(20), texts(21), strict=False)]
    alone = [run(pair) for pair in pairs]
    for batch_tokens in (1, 60, 10_000):
        same(run(pairs, batch_tokens=batch_tokens), alone)


def test_a_folder_says_how_its_vectors_are_made_and_compared(sentence: SentenceFolder, tmp_path: Path) -> None:
    compare, encoder = tfx_core.pipeline("sentence-similarity", sentence.root), sentence.encoder()
    for options in ({}, {"prompt_name": ""}, {"prompt": "the dog "}):
        same(compare((ONE, OTHER), **options), encoder.encode(ONE, **options) @ encoder.encode(OTHER, **options).T)
    assert not np.allclose(compare((ONE, OTHER)), compare((ONE, OTHER), prompt_name=""))
    compare.save_pretrained(tmp_path / "again")
    same(tfx_core.pipeline("sentence-similarity", tmp_path / "again")((ONE, OTHER)), compare((ONE, OTHER)))


def test_any_checkpoint_is_pooled_as_asked(saved: str, folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    encoder = tfx_core.load_encoder(saved, pooling="cls")
    expected = encoder.similarity(*encoder.encode([ONE[0], OTHER[0]])).item()
    model, tokenizer = tfx_core.load_model(saved), tfx_core.load_tokenizer(saved)
    caplog.clear()
    for given in (
        tfx_core.pipeline("sentence-similarity", saved, pooling="cls"),
        tfx_core.pipeline("sentence-similarity", saved, pooling="cls", tokenizer=folder("backbone")),
        tfx_core.pipeline("sentence-similarity", saved, pooling="cls", tokenizer=tokenizer, torch_dtype="float32"),
        tfx_core.pipeline("sentence-similarity", encoder, device="cpu"),
        tfx_core.pipeline("sentence-similarity", model, tokenizer=tokenizer, pooling="cls"),
    ):
        assert given((ONE[0], OTHER[0])) == pytest.approx(expected)
    assert not caplog.records
    with caplog.at_level(logging.WARNING, "tfx_core"):
        tfx_core.pipeline("sentence-similarity", saved)
    assert "texts are pooled by the mean; pooling= says how" in caplog.text
    with pytest.raises(InputError, match="a model that is loaded already needs its tokenizer"):
        tfx_core.pipeline("sentence-similarity", model)


def test_keywords_of_loading_reach_the_encoder(saved: str) -> None:
    run = tfx_core.pipeline("sentence-similarity", saved, model_kwargs={"torch_dtype": "bfloat16"}, pooling="mean")
    assert str(run.dtype) == "torch.bfloat16"
    with pytest.raises(InputError, match="dtype='float64': frozen models have one of"):
        tfx_core.pipeline("sentence-similarity", saved, dtype="float64", frozen=True, pooling="mean")
    assert run(("a", "a")) == pytest.approx(1, abs=1e-3)
    path = Path(saved)
    assert tfx_core.pipeline("sentence-similarity", path.parent, subfolder=path.name, pooling="mean")(("a", "a"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("bob", "a text alone needs the option source_sentence; or give a pair"),
        (3, "two texts, or lists of texts, are needed to compare them, not int"),
        (("a",), "are needed to compare them, not 1 of them"),
        (["a", "b", "c"], "are needed to compare them, not 3 of them"),
        ({"source_sentence": "a"}, "keys ['source_sentence']: a dict has 'source_sentence' and 'sentences'"),
        ({"source_sentence": "a", "sentences": []}, "a list of texts to compare is empty"),
        (("a", ["b", 3]), "a text must be a string, not int"),
        (("a", None), "a text must be a string, not NoneType"),
        (("a", "\ud800"), "a text is not valid Unicode"),
    ],
    ids=str,
)
def test_what_cannot_be_compared_is_told(value: object, said: str, compare: Any) -> None:
    with pytest.raises(ItemError) as caught:
        compare([("a", "b"), value])
    assert str(caught.value).startswith("inputs[1]: ")
    assert said in str(caught.value)


def test_a_text_without_tokens_is_told_with_its_input(folder: Folder) -> None:
    run = tfx_core.pipeline("sentence-similarity", folder("backbone", special=False))
    with pytest.raises(ItemError, match=r"inputs\[1\]: the tokenizer makes no tokens of this text"):
        run([("a", ["b", "cat"]), ("a", ["b", ""])])


def test_options_that_the_encoder_has_not_are_told(sentence: SentenceFolder, compare: Any) -> None:
    with pytest.raises(InputError, match="prompt_name='query': the encoder has no prompts"):
        compare(("a", "b"), prompt_name="query")
    with pytest.raises(InputError, match="pooling='cls': this encoder pools by mean; make another pipeline"):
        compare(("a", "b"), pooling="cls")
    with pytest.raises(InputError, match=r"modules\.json says how this encoder pools"):
        tfx_core.pipeline("sentence-similarity", sentence.root, pooling="cls")
    with pytest.raises(InputError, match="prompt_name='x': the encoder has 'ask', ''"):
        tfx_core.pipeline("sentence-similarity", sentence.root, prompt_name="x")
    with pytest.raises(InputError, match="similarity_fn_name='l2': must be one of 'cosine', 'dot'"):
        tfx_core.pipeline("sentence-similarity", "/nowhere/at/all", similarity_fn_name="l2")
