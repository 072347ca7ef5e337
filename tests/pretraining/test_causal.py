"""What causal models make of packed rows: documents apart, heads that are told otherwise, models that do not do."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import tfx_core
from tests.cases import case_of
from tests.core.text.folders import write
from tests.pretraining.case import Tried
from tfx_core import ObjectiveSpec
from tfx_core.errors import InputError
from tfx_core.plugins import registry
from tfx_testing.vocabularies import continued_bpe
from tfx_training import Document, Part, TokenCorpus
from tfx_training.objective import generator_of
from tfx_training.objectives.causal import NextTokens, end_of

(CAUSAL,) = (entry.spec for entry in registry.specs(ObjectiveSpec) if entry.spec.name == "causal")


def models(objective: NextTokens, model_type: str, **config: Any) -> Any:
    tiny = {name: value for name, value in case_of(model_type).tiny.items() if name != "vocab_size"}
    return objective.new_models(model_type, seed=0, **{**tiny, **config})


@pytest.mark.parametrize("model_type", CAUSAL.architectures)
@torch.no_grad()
def test_documents_apart_have_the_losses_that_they_have_alone(tmp_path: Path, model_type: str) -> None:
    tried = Tried("causal", model_type, tmp_path)
    objective = NextTokens(tried.tokenizer, length=24, documents="apart")
    corpus = TokenCorpus.of(tried.tokenizer, ["a b c d e f g", "k l m n o p q r s t u v w"])
    trainee = objective.trainee(models(objective, model_type)).eval()
    text = torch.cat([
        torch.tensor([*corpus.document(number).ids, *end_of(tried.tokenizer)]) for number in range(2)
    ])  # fmt: skip
    objective.length = len(text)
    (row,) = objective.rows(corpus, generator_of(0))
    batch = objective.batch([objective.example(row, generator_of(0))])
    first = int(row.begins[0])
    whole = trainee(batch)
    losses, counts = [], []
    for ids in (text[:first], text[first:]):
        alone = trainee({"input_ids": ids[None], "labels": ids[None]})
        losses.append(float(alone.losses["loss"]))
        counts.append(len(ids) - 1)
    assert objective.counts(batch) == {"loss": sum(counts)}
    expected = sum(loss * count for loss, count in zip(losses, counts, strict=True)) / sum(counts)
    assert float(whole.losses["loss"]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("model_type", CAUSAL.architectures)
@torch.no_grad()
def test_the_loss_is_that_of_the_token_after_each(tmp_path: Path, model_type: str) -> None:
    tried = Tried("causal", model_type, tmp_path)
    made = tried.models()
    trainee = tried.objective.trainee(made).eval()
    rows = tried.objective.rows(tried.corpus, generator_of(0))
    batch = tried.objective.batch([tried.objective.example(rows[each], generator_of(0)) for each in range(3)])
    outcome = trainee(batch)
    ids = batch["input_ids"]
    logits = made["model"](ids).logits[:, :-1]
    expected = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
    assert float(outcome.losses["loss"]) == pytest.approx(float(expected), rel=1e-5)
    right = (logits.argmax(-1) == ids[:, 1:]).float().mean()
    assert float(outcome.right["loss"]) == pytest.approx(float(right))
    assert not trainee.train()(batch).right


def test_a_model_that_sees_what_follows(tmp_path: Path) -> None:
    objective = Tried("causal", "xlm", tmp_path).objective
    with pytest.raises(InputError, match=r"xlm: the tokens of this model see those .* its config needs causal=true"):
        objective.trainee(models(objective, "xlm", causal=False))


def test_languages_have_vectors(tmp_path: Path) -> None:
    files = {**case_of("xlm").released(), "config.json": {"model_type": "xlm"}}
    tokenizer = tfx_core.load_tokenizer(
        write(tmp_path, {**files, "tokenizer_config.json": {"lang2id": {"en": 0, "fr": 1, "de": 4}}})
    )
    objective = NextTokens(tokenizer, length=4)
    made = models(objective, "xlm", n_langs=5)["model"]
    assert (made.config.n_langs, made.config.causal) == (5, True)
    corpus = TokenCorpus.of(tokenizer, [Document((Part("a b c d e f", group="de"),))])
    example = objective.example(objective.rows(corpus, generator_of(0))[0], generator_of(0))
    assert example["langs"].tolist() == [4] * 4
    objective.trainee({"model": made})(objective.batch([example])).losses["loss"].backward()
    touched = made.backbone.embeddings.language.weight.grad.abs().sum(-1) > 0
    assert touched.tolist() == [False] * 4 + [True]


def test_control_codes_of_the_released_kind(tmp_path: Path) -> None:
    files = {**continued_bpe(("<unk>", "Books", "Wikipedia")), "config.json": {"model_type": "ctrl"}}
    tokenizer = tfx_core.load_tokenizer(write(tmp_path, files))
    objective = NextTokens(tokenizer, length=4)
    corpus = TokenCorpus.of(tokenizer, [Document((Part("a b c d e f", group="Wikipedia"),))])
    ids = objective.example(objective.rows(corpus, generator_of(0))[0], generator_of(0))["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids.tolist())[0] == "Wikipedia"
