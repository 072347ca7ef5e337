"""Every row of the table of habits about training is done, here with others' libraries."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model

import tfx_core
from tests.trainers import test_accelerate, test_peft, test_trainer
from tests.trainers.learning import Trained, same
from tfx_core.habits import Habit
from tfx_core.habits.table import PLACES


def with_collator(model_type: str, make: Callable[[Any], Any]) -> Callable[[Trained], object]:
    return lambda trained: test_trainer.learns(trained, model_type, make)


def adapter(trained: Trained, **config: Any) -> Any:
    return get_peft_model(trained.model("bert").split_layers(), LoraConfig(task_type="SEQ_CLS", **config))


def saved_adapter(trained: Trained) -> None:
    adapter(trained).save_pretrained(trained.root / "adapter")
    PeftModel.from_pretrained(trained.model("bert").split_layers(), trained.root / "adapter")


def merged(trained: Trained) -> None:
    adapter(trained).merge_and_unload().save_pretrained(trained.root / "merged")
    assert same(tfx_core.load_model(trained.root / "merged"), trained.model("bert"))


def pickled(trained: Trained) -> None:
    torch.save(trained.model("bert"), trained.root / "model.pt")
    assert same(torch.load(trained.root / "model.pt", weights_only=False), trained.model("bert"))


def stored_state(trained: Trained) -> None:
    torch.save(trained.model("gpt2").state_dict(), trained.root / "pytorch_model.bin")
    assert same(tfx_core.load_model(trained.root), trained.model("gpt2"))


def reference(trained: Trained) -> Any:
    return transformers.GPT2LMHeadModel.from_pretrained(trained.world.folder("gpt2", "causal-lm"))


def from_reference(trained: Trained) -> None:
    made = tfx_core.new_model("gpt2", head="causal-lm", seed=9, **trained.world.tiny("gpt2"))
    made.load_state_dict(reference(trained).state_dict())
    assert same(made, trained.model("gpt2"))


def language(tokenizer: Any, **options: Any) -> Any:
    return transformers.DataCollatorForLanguageModeling(tokenizer, **options)


DEEDS: dict[str, Callable[..., object]] = {
    "Trainer(model=model, …).train()": lambda trained: test_trainer.learns(trained, "gpt2"),
    "Trainer(…, compute_metrics=…)": test_trainer.test_the_best_model_is_loaded_and_metrics_get_one_array,
    "TrainingArguments(load_best_model_at_end=True)": (
        test_trainer.test_the_best_model_is_loaded_and_metrics_get_one_array
    ),
    "trainer.train(resume_from_checkpoint=…)": test_trainer.test_it_goes_on_where_a_checkpoint_ends,
    "trainer.save_model(folder)": test_trainer.test_it_learns_and_its_checkpoints_are_folders_to_load,
    "trainer.predict(rows)": lambda trained: trained.trainer("bert").predict(trained.rows("bert", 4)),
    "remove_unused_columns=True": test_trainer.test_columns_that_no_model_takes_are_removed,
    "label_smoothing_factor=0.1": lambda trained: test_trainer.learns(trained, "bert", label_smoothing_factor=0.1),
    "bf16=True": lambda trained: test_trainer.learns(trained, "bert", bf16=True),
    "gradient_accumulation_steps=2": lambda trained: test_trainer.learns(
        trained, "bert", gradient_accumulation_steps=2
    ),
    "gradient_checkpointing=True": lambda trained: test_trainer.learns(trained, "t5", gradient_checkpointing=True),
    "neftune_noise_alpha=5": test_trainer.test_noise_is_added_where_layers_see_rows,
    "processing_class=tokenizer": test_trainer.test_a_tokenizer_is_saved_with_the_model,
    "Seq2SeqTrainer(…, predict_with_generate=True)": test_trainer.test_it_writes_in_evaluation,
    "DataCollatorWithPadding(tokenizer)": with_collator("bert", transformers.DataCollatorWithPadding),
    "DataCollatorForTokenClassification(tokenizer)": test_trainer.test_ours_give_what_its_own_give,
    "DataCollatorForSeq2Seq(tokenizer)": with_collator("t5", transformers.DataCollatorForSeq2Seq),
    "DataCollatorForLanguageModeling(tokenizer, mlm=False)": with_collator(
        "gpt2", lambda tokenizer: language(tokenizer, mlm=False)
    ),
    "DataCollatorForLanguageModeling(tokenizer)": lambda trained: language(trained.tokenizer())(trained.texts()),
    "DataCollatorForLanguageModeling(tokenizer, whole_word_mask=True)": test_trainer.test_whole_words,
    "optimizer.step(); scheduler.step()": test_accelerate.test_a_plain_loop,
    "accelerator.prepare(model, optimizer, loader)": test_accelerate.test_accelerate_trains_saves_and_loads,
    "accelerator.save_state(folder); accelerator.load_state(folder)": (
        test_accelerate.test_accelerate_trains_saves_and_loads
    ),
    "accelerator.unwrap_model(model).save_pretrained(folder)": test_accelerate.test_accelerate_trains_saves_and_loads,
    "get_peft_model(model, LoraConfig(task_type='SEQ_CLS'))": adapter,
    "LoraConfig(target_modules=['query', 'value'])": lambda trained: adapter(
        trained, target_modules=["query", "value"]
    ),
    "LoraConfig(target_modules='all-linear')": test_peft.test_all_linear_layers_as_they_are,
    "wrapped.save_pretrained(folder)": saved_adapter,
    "wrapped.merge_and_unload().save_pretrained(folder)": merged,
    "wrapped.generate(…)": test_peft.test_it_writes_through_an_adapter,
    "wrapped.base_model.model.save_pretrained(folder)": lambda trained: adapter(
        trained
    ).base_model.model.save_pretrained(trained.root / "wrapped"),
    "torch.save(model, file); torch.load(file, weights_only=False)": pickled,
    "copy.deepcopy(model)": lambda trained: copy.deepcopy(trained.model("gpt2")),
    "torch.save(model.state_dict(), 'folder/pytorch_model.bin')": stored_state,
    "model.load_state_dict(reference.state_dict())": from_reference,
    "reference.load_state_dict(model.state_dict())": lambda trained: reference(trained).load_state_dict(
        trained.model("gpt2").state_dict_for_files()
    ),
}


@pytest.mark.parametrize("habit", PLACES["training"], ids=lambda habit: habit.theirs)
def test_a_habit_works_or_is_told(habit: Habit, trained: Trained) -> None:
    if DEEDS[habit.theirs].__name__.startswith("test_"):  # which is done for itself
        return
    if habit.works:
        DEEDS[habit.theirs](trained)
        return
    with pytest.raises(Exception) as raised:  # noqa: PT011, whatever a user would get
        DEEDS[habit.theirs](trained)
    assert habit.ours in str(raised.value)


def test_each_deed_is_a_row_of_the_table() -> None:
    assert DEEDS.keys() == {habit.theirs for habit in PLACES["training"]}
