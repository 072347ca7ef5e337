"""ProphetNet's loss: which stream learns which token, and where the tokens stand."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tests.pretraining.case import Tried
from tfx_core import Model
from tfx_core.errors import InputError
from tfx_training.objective import Batch, generator_of


@pytest.fixture
def tried(tmp_path: Path) -> Tried:
    return Tried("future-n-grams", "prophetnet", tmp_path)


def batch_of(tried: Tried) -> Batch:
    rows = tried.objective.rows(tried.corpus, generator_of(0))
    return tried.objective.batch([tried.objective.example(row, generator_of(0, 1)) for row in rows[:3]])


def test_the_loss_is_of_all_streams_within_fragments(tried: Tried) -> None:
    batch, models = batch_of(tried), tried.models()
    trainee = tried.objective.trainee(models).eval()
    outcome = trainee(batch)
    model = models["model"]
    output = model(**{name: column for name, column in batch.items() if name != "labels"})
    tokens = batch["labels"][:, 0]
    begins = batch["decoder_position_ids"].diff(dim=1, prepend=torch.full((3, 1), -9)) != 1
    first = F.cross_entropy(output.logits.transpose(1, 2), tokens, reduction="none")
    second = F.cross_entropy(output.logits_ngram[:, 0].transpose(1, 2), tokens, reduction="none")
    expected = (first.sum() + second[~begins].sum()) / (begins.numel() + (~begins).sum())
    assert outcome.losses["loss"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert outcome.right["loss"].item() == pytest.approx((output.logits.argmax(-1) == tokens).float().mean().item())


def test_what_ends_a_fragment_does_not_teach_the_next_one(tried: Tried) -> None:
    """Its second stream would predict a token far away from it."""
    batch, trainee = batch_of(tried), tried.objective.trainee(tried.models()).train()
    counts = (batch["labels"] != -100).sum((0, 2)).tolist()
    assert counts[0] - counts[1] == int((batch["decoder_position_ids"].diff(dim=1) != 1).sum()) + 3
    assert trainee(batch).right == {}


def test_models_with_other_streams_are_refused(tried: Tried) -> None:
    def models(**config: object) -> dict[str, Model]:
        return dict(tried.objective.new_models("prophetnet", seed=0, **{**tiny, **config}))

    tiny = {"hidden_size": 8, "num_encoder_layers": 1, "num_decoder_layers": 1}
    tiny |= {f"num_{side}_attention_heads": 2 for side in ("encoder", "decoder")}
    tiny |= {f"{side}_ffn_dim": 8 for side in ("encoder", "decoder")}
    tried.objective.trainee(models())
    for wrong, said in (({"ngram": 3}, "ngram=3"), ({"disable_ngram_loss": True}, "disable_ngram_loss=True")):
        with pytest.raises(InputError, match=f"the model has .*{said}.*this objective has ngram=2"):
            tried.objective.trainee(models(**wrong))
