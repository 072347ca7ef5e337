"""What a generator and a discriminator, and a student, are written as is read by the reference, which goes on alike."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from tests.pretraining.case import Tried
from tfx_core.model.heads import IGNORED
from tfx_testing.parity.comparing import TOLERANCE, faults
from tfx_training.objective import generator_of
from tfx_training.objectives.replaced_tokens import drawn

CLASSES = {
    "electra": ("ElectraForPreTraining", "ElectraForMaskedLM"),
    "funnel": ("FunnelForPreTraining", "FunnelForMaskedLM"),
}


def read(name: str, folder: Path) -> Any:
    model, report = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
    assert not faults(model, report)
    return model.eval()


def batch_of(tried: Tried) -> dict[str, Tensor]:
    rows = tried.objective.rows(tried.corpus, generator_of(0, 0))
    several = [tried.objective.example(rows[each], generator_of(0, 0, each)) for each in range(len(rows))]
    size = max(len(each["input_ids"]) for each in several)
    return tried.objective.batch([each for each in several if len(each["input_ids"]) == size])  # it pools padding, too


@pytest.mark.parametrize("model_type", CLASSES)
@torch.no_grad()
def test_both_halves_are_those_of_the_reference(model_type: str, tmp_path: Path) -> None:
    tried = Tried("replaced-tokens", model_type, tmp_path / "tokenizer")
    models = tried.models()
    trainee = tried.objective.trainee(models).eval()
    tried.objective.save(models, tmp_path)
    discriminator, generator = map(read, CLASSES[model_type], (tmp_path, tmp_path / "generator"))
    tables = [each.get_input_embeddings().weight for each in (discriminator, generator)]
    assert torch.equal(*tables)
    assert generator.get_output_embeddings().weight is tables[1]

    batch = batch_of(tried)
    labels = batch.pop("labels")
    hidden = labels != IGNORED
    torch.manual_seed(0)
    losses = trainee({**batch, "labels": labels}).losses
    torch.manual_seed(0)
    output = generator(**batch, labels=labels)
    samples = drawn(output.logits[hidden])
    given = {**batch, "input_ids": batch["input_ids"].masked_scatter(hidden, samples)}
    replaced = torch.zeros_like(labels).masked_scatter(hidden, (samples != labels[hidden]).long())
    torch.testing.assert_close(losses["generator"], output.loss, **TOLERANCE)
    torch.testing.assert_close(losses["discriminator"], discriminator(**given, labels=replaced).loss, **TOLERANCE)


def test_the_reference_fine_tunes_a_discriminator_of_convbert(tmp_path: Path) -> None:
    tried = Tried("replaced-tokens", "convbert", tmp_path / "tokenizer")
    models = tried.models()
    tried.objective.trainee(models)
    tried.objective.save(models, tmp_path)
    theirs, report = transformers.ConvBertForTokenClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert sorted(report["missing_keys"]) == ["classifier.bias", "classifier.weight"]
    assert all(name.startswith("discriminator_predictions.") for name in report["unexpected_keys"])
    table = models["discriminator"].get_input_embeddings().get_parameter("weight")
    assert torch.equal(theirs.get_input_embeddings().weight, table)


def test_a_student_is_the_references(tmp_path: Path) -> None:
    tried = Tried("distillation", "distilbert", tmp_path / "tokenizer")
    models = tried.models()
    tried.objective.save(models, tmp_path)
    assert not list(tmp_path.glob("*/*.safetensors"))
    theirs = read("DistilBertForMaskedLM", tmp_path)
    batch = batch_of(tried)
    loss = tried.objective.trainee(models).eval()(batch).losses["hidden tokens"]
    torch.testing.assert_close(loss, theirs(**batch).loss, **TOLERANCE)
