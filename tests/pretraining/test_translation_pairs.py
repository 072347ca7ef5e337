"""What an XLM makes of translation pairs: both sides see each other, languages have vectors."""

from pathlib import Path

import pytest
import torch

import tfx_core
from tests.pretraining.case import Tried
from tfx_core.errors import InputError
from tfx_training.objective import Batch, generator_of


@pytest.fixture
def tried(tmp_path: Path) -> Tried:
    return Tried("translation-pairs", "xlm", tmp_path)


def batch_of(tried: Tried) -> Batch:
    rows = tried.objective.rows(tried.corpus, generator_of(0))
    return tried.objective.batch([tried.objective.example(rows[each], generator_of(0, each)) for each in range(4)])


@torch.no_grad()
def test_both_sides_see_each_other(tried: Tried) -> None:
    model = tried.models()["model"].eval()
    batch = {name: value for name, value in batch_of(tried).items() if name != "labels"}
    before = model(**batch).logits
    second = int((batch["position_ids"][0] == 0).nonzero()[1])
    batch["input_ids"][0, -2] = 40
    after = model(**batch).logits
    assert not torch.allclose(before[0, :second], after[0, :second])


@torch.no_grad()
def test_only_what_is_hidden_counts(tried: Tried) -> None:
    trainee = tried.objective.trainee(tried.models()).eval()
    batch = batch_of(tried)
    outcome, whole = trainee(batch), trainee.model("model")(**batch)
    assert float(outcome.losses["loss"]) == pytest.approx(float(whole.loss), rel=1e-5)
    counted = batch["labels"] != -100
    right = (whole.logits.argmax(-1) == batch["labels"])[counted].float().mean()
    assert float(outcome.right["loss"]) == pytest.approx(float(right))


def test_models_without_vectors_of_the_languages(tried: Tried) -> None:
    tiny = {"emb_dim": 8, "n_heads": 2, "n_layers": 1}
    assert tried.objective.new_models("xlm", seed=0, **tiny)["model"].config.n_langs == 2
    for config in ({"n_langs": 1}, {"use_lang_emb": False}):
        models = tried.objective.new_models("xlm", seed=0, **tiny, **config)
        with pytest.raises(InputError, match="each of which needs a vector: n_langs=2, use_lang_emb=true"):
            tried.objective.trainee(models)
    bert = tfx_core.new_model("bert", head="masked-lm", hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    with pytest.raises(InputError, match="bert: this model does not take langs"):
        tried.objective.trainee({"model": bert})
