"""Models learn in the reference's trainers: its checkpoints, its best model, its collators, its generation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    DataCollatorForLanguageModeling,
    DataCollatorForSeq2Seq,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
)

import tfx_core
from tests.trainers.learning import HEADS, NEW, Trained, losses, same
from tfx_core.collators import MaskedTokens, NextTokens, Padding


def checkpoints(trained: Trained) -> list[Path]:
    return sorted((trained.root / "out").glob("checkpoint-*"), key=lambda folder: int(folder.name.split("-")[1]))


@pytest.mark.parametrize("model_type", ["bert", "gpt2", "t5"])
def test_it_learns_and_its_checkpoints_are_folders_to_load(trained: Trained, model_type: str) -> None:
    trainer = trained.trainer(model_type)
    trainer.train()
    assert losses(trainer)[-1] < 0.9 * losses(trainer)[0]
    assert trainer.evaluate()["eval_loss"] < losses(trainer)[0]
    trainer.save_model(str(trained.root / "final"))
    for folder in (trained.root / "final", checkpoints(trained)[-1]):
        again = tfx_core.load_model(folder)
        assert again.head_name == trainer.model.head_name
        assert same(again, trainer.model)


def test_it_goes_on_where_a_checkpoint_ends(trained: Trained) -> None:
    whole = trained.trainer("gpt2")
    whole.train()
    resumed = trained.trainer("gpt2")
    resumed.train(resume_from_checkpoint=str(checkpoints(trained)[1]))
    assert len(losses(resumed)) == len(losses(whole))
    assert same(resumed.model, whole.model)


def test_the_best_model_is_loaded_and_metrics_get_one_array(trained: Trained) -> None:
    seen: list[Any] = []

    def metrics(given: Any) -> dict[str, float]:
        seen.append(given.predictions)
        return {"accuracy": float((given.predictions.argmax(-1) == given.label_ids).mean()), "first": -len(seen)}

    trainer = trained.trainer("bert", metrics=metrics, load_best_model_at_end=True, metric_for_best_model="first")
    trainer.train()
    assert all(isinstance(each, np.ndarray) and each.shape == (8, 2) for each in seen)
    assert trainer.state.best_model_checkpoint == str(checkpoints(trained)[0])
    assert same(trainer.model, tfx_core.load_model(checkpoints(trained)[0]))
    assert trainer.predict(trained.rows("bert", 4)).predictions.shape == (4, 2)


def learns(trained: Trained, model_type: str, make: Any = None, **changes: Any) -> None:
    collator = None if make is None else make(trained.tokenizer(model_type))
    trainer = trained.trainer(model_type, collator=collator, **changes)
    trainer.train()
    assert losses(trainer)[-1] < losses(trainer)[0]


@pytest.mark.parametrize("model_type", HEADS)
def test_noise_is_added_where_layers_see_rows(trained: Trained, model_type: str) -> None:
    model = trained.model(model_type)
    model.packed = False
    trainer = trained.trainer(model_type, model, neftune_noise_alpha=1, gradient_checkpointing=True)
    trainer.train()
    assert losses(trainer)[-1] < losses(trainer)[0]


def test_a_tokenizer_is_saved_with_the_model(trained: Trained) -> None:
    tokenizer = trained.tokenizer()
    trainer = trained.trainer("bert", processing_class=tokenizer, save_strategy="no")
    trainer.train()
    trainer.save_model(str(trained.root / "saved"))
    assert tfx_core.load_tokenizer(trained.root / "saved").get_vocab() == tokenizer.get_vocab()


def test_columns_that_no_model_takes_are_removed(trained: Trained) -> None:
    rows = [{**row, "text": "cats", "idx": number} for number, row in enumerate(trained.rows("bert"))]
    trainer = trained.trainer("bert", rows=rows, num_train_epochs=1)
    assert {*next(iter(trainer.get_train_dataloader()))} == {"input_ids", "attention_mask", "labels"}
    trainer.train()


def test_it_writes_in_evaluation(trained: Trained) -> None:
    seen: list[Any] = []

    def metrics(given: Any) -> dict[str, float]:
        seen.append(given.predictions)
        return {"count": float(len(given.predictions))}

    trainer = trained.trainer("t5", metrics=metrics, predict_with_generate=True, generation_max_length=12)
    trainer.model.generation_config.max_length = 12
    trainer.train()
    texts = trained.tokenizer("t5").batch_decode(np.where(seen[-1] < 0, 0, seen[-1]), skip_special_tokens=True)
    assert any(set(text) <= {"a", "z"} and text for text in texts)
    predicted = trainer.predict(trained.rows("t5", 4), max_length=5, num_beams=2).predictions
    assert predicted.shape == (4, 12)  # the trainer fills up
    assert len({*predicted[:, 5:].flatten().tolist()}) == 1


def test_ours_give_what_its_own_give(trained: Trained) -> None:
    tokenizer, plain = trained.tokenizer(), trained.texts()
    of_tokens = [{**row, "labels": [1] * len(row["input_ids"])} for row in plain]
    of_targets = [{**row, "labels": [2, 3] * number} for number, row in enumerate(plain, 1)]
    pairs = [
        (Padding(tokenizer), DataCollatorWithPadding(tokenizer), trained.rows("bert", 6)),
        (Padding(tokenizer), DataCollatorForTokenClassification(tokenizer), of_tokens),
        (Padding(tokenizer), DataCollatorForSeq2Seq(tokenizer), of_targets),
        (NextTokens(tokenizer), DataCollatorForLanguageModeling(tokenizer, mlm=False), plain),
    ]
    for ours, theirs, given in pairs:
        one, other = ours([dict(row) for row in given]), theirs([dict(row) for row in given])
        assert {name: values.tolist() for name, values in one.items()} == {
            name: torch.as_tensor(values).tolist() for name, values in other.items()
        }


def test_whole_words(trained: Trained) -> None:
    tokenizer = trained.tokenizer()
    reference = DataCollatorForLanguageModeling(
        tokenizer, whole_word_mask=True, mask_replace_prob=1, random_replace_prob=0
    )
    rows = [dict(tokenizer(text, return_offsets_mapping=True)) for text in ("aa bb", "cc dd ee")]
    ours, theirs = MaskedTokens(tokenizer, whole_words=True)(rows), reference([dict(row) for row in rows])
    assert ours["input_ids"].shape == theirs["input_ids"].shape


def test_checkpoints_of_either_form_are_folders_to_load(trained: Trained) -> None:
    form = {} if NEW else {"save_safetensors": False}  # the new version writes no other
    trainer = trained.trainer("gpt2", num_train_epochs=1, **form)
    trainer.train()
    assert same(tfx_core.load_model(checkpoints(trained)[-1]), trainer.model)
