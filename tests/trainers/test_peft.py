"""Adapters of PEFT: found by the reference's names, trained, saved, merged; and equal to those in the reference."""

from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model

import tfx_core
from tests.trainers.learning import Trained
from tfx_core.errors import InputError

TASKS = [
    ("bert", "sequence-classification", "SEQ_CLS"),
    ("bert", "token-classification", "TOKEN_CLS"),
    ("bert", "question-answering", "QUESTION_ANS"),
    ("bert", "backbone", "FEATURE_EXTRACTION"),
    ("gpt2", "causal-lm", "CAUSAL_LM"),
    ("bart", "conditional-generation", "SEQ_2_SEQ_LM"),
    ("t5", "conditional-generation", "SEQ_2_SEQ_LM"),
]
NAMES = {
    "bert": ["query", "value", "dense"], "gpt2": ["c_attn", "c_proj", "c_fc"], "bart": ["q_proj", "v_proj", "fc1"],
    "t5": ["q", "v", "wi"],
}  # fmt: skip


def inputs(task: str) -> dict[str, Any]:
    ids = torch.randint(10, 50, (2, 7), generator=torch.Generator().manual_seed(1))
    places = {"start_positions": torch.tensor([1, 2]), "end_positions": torch.tensor([2, 3])}
    labels = {"SEQ_CLS": {"labels": torch.tensor([0, 1])}, "QUESTION_ANS": places, "FEATURE_EXTRACTION": {}}
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids), **labels.get(task, {"labels": ids % 2})}
    return {**given, "decoder_input_ids": ids} if task == "SEQ_2_SEQ_LM" else given


def learn(wrapped: Any, given: dict[str, Any], steps: int = 8) -> list[float]:
    optimizer = torch.optim.AdamW([each for each in wrapped.parameters() if each.requires_grad], lr=2e-2)
    values = []
    for _ in range(steps):
        output = wrapped(**given)
        loss = output.loss if "loss" in output else output[0][..., 0].square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    return values


@pytest.mark.parametrize("names", ["defaults", "chosen"])
@pytest.mark.parametrize(("model_type", "head", "task"), TASKS)
def test_an_adapter_learns_is_saved_and_merged(
    trained: Trained, model_type: str, head: str, task: str, names: str
) -> None:
    chosen = NAMES[model_type] if names == "chosen" else None
    model = trained.model(model_type, head).split_layers().train()
    before = {name: each.detach().clone() for name, each in model.named_parameters()}
    wrapped = get_peft_model(model, LoraConfig(task_type=task, target_modules=chosen))
    assert 0 < wrapped.get_nb_trainable_parameters()[0] < 0.8 * wrapped.get_nb_trainable_parameters()[1]
    given = inputs(task)
    losses = learn(wrapped, given)
    assert losses[-1] < losses[0]
    frozen = {
        name.removeprefix("base_model.model.").replace(".base_layer", ""): x for name, x in wrapped.named_parameters()
    }
    assert all(torch.equal(values, frozen[name]) for name, values in before.items() if name in frozen)
    results = wrapped.eval()(**given)
    wrapped.save_pretrained(trained.root / "adapter")
    again = peft.PeftModel.from_pretrained(trained.model(model_type, head).split_layers(), trained.root / "adapter")
    torch.testing.assert_close(again.eval()(**given)[0], results[0])
    with pytest.raises(InputError, match=r"merge the adapter first, wrapped\.merge_and_unload\(\)\.save_pretrained"):
        wrapped.base_model.model.save_pretrained(trained.root / "merged")
    wrapped.merge_and_unload().save_pretrained(trained.root / "merged")
    ours = tfx_core.load_model(trained.root / "merged")
    theirs = getattr(transformers, type(ours).__name__).from_pretrained(trained.root / "merged").eval()
    for one in (ours, theirs):
        torch.testing.assert_close(one(**given)[0], results[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("model_type", "head", "task"), [TASKS[0], *TASKS[4:]])
def test_it_learns_as_in_the_reference(trained: Trained, model_type: str, head: str, task: str, tmp_path: Path) -> None:
    model = trained.model(model_type, head)
    model.save_pretrained(tmp_path / "model")
    reference = getattr(transformers, type(model).__name__).from_pretrained(tmp_path / "model").eval()
    config = {"task_type": task, "target_modules": NAMES[model_type], "init_lora_weights": False, "lora_dropout": 0.0}
    torch.manual_seed(1)
    theirs = get_peft_model(reference, LoraConfig(**config, modules_to_save=[])).eval()
    ours = get_peft_model(model.split_layers().eval(), LoraConfig(**config, modules_to_save=[])).eval()
    drawn, table = dict(theirs.named_parameters()), model.weight_table
    with torch.no_grad():
        for name, each in ours.named_parameters():
            layer, adapter, rest = name.removeprefix("base_model.model.").partition(".lora_")
            if adapter:
                _, _, (stored, *_) = table.find(head, f"{layer}.weight") or ("", None, ("",))
                stored = table.stored_name(head, stored)
                each.copy_(drawn.pop(f"base_model.model.{stored.removesuffix('.weight')}{adapter}{rest}"))
    assert not [name for name in drawn if "lora_" in name]
    torch.testing.assert_close(ours(**inputs(task))[0], theirs(**inputs(task))[0], rtol=1e-3, atol=1e-4)


def test_it_writes_through_an_adapter(trained: Trained) -> None:
    for model_type, head, task in TASKS[4:]:
        wrapped = get_peft_model(trained.model(model_type, head).split_layers(), LoraConfig(task_type=task)).eval()
        ids = inputs(task)["input_ids"]
        written = wrapped.generate(input_ids=ids, max_new_tokens=4)
        assert torch.equal(written, trained.model(model_type, head).generate(input_ids=ids, max_new_tokens=4))


def test_all_linear_layers_as_they_are(trained: Trained) -> None:
    wrapped = get_peft_model(trained.model("gpt2"), LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM"))
    values = learn(wrapped.train(), inputs("CAUSAL_LM"))
    assert values[-1] < values[0]


def test_names_that_are_not_there_yet_are_an_error_not_a_part_of_them(trained: Trained) -> None:
    for model_type, head, task in TASKS:
        with pytest.raises(ValueError, match="not found in the base model"):
            get_peft_model(trained.model(model_type, head), LoraConfig())
        with pytest.raises(ValueError, match=r"not found in the base model|No modules were targeted"):
            get_peft_model(
                trained.model(model_type, head), LoraConfig(task_type=task, target_modules=NAMES[model_type])
            )


def test_all_linear_layers_are_merged_but_the_output_layer(trained: Trained) -> None:
    config = LoraConfig(target_modules="all-linear", exclude_modules=["decoder"], init_lora_weights=False)
    wrapped, ids = get_peft_model(trained.model("gpt2"), config).eval(), inputs("CAUSAL_LM")["input_ids"]
    expected = wrapped(ids).logits
    torch.testing.assert_close(wrapped.merge_and_unload()(ids).logits, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("model_type", "head", "task"), TASKS[:3])
def test_a_new_head_learns_beside_the_adapter(trained: Trained, model_type: str, head: str, task: str) -> None:
    wrapped = get_peft_model(trained.model(model_type, head).split_layers(), LoraConfig(task_type=task))
    trained_ones = {name for name, each in wrapped.named_parameters() if each.requires_grad}
    assert any(".head." in name for name in trained_ones)


@pytest.mark.parametrize("model_type", ["bert", "gpt2", "transfo-xl", "xlnet", "bart", "t5"])
def test_tables_are_adapted_too(trained: Trained, model_type: str) -> None:
    model = trained.model(model_type, "conditional-generation" if model_type in ("bart", "t5") else "causal-lm")
    names = [name for name, each in model.named_modules() if isinstance(each, torch.nn.Embedding | torch.nn.Linear)]
    wrapped = get_peft_model(model.train(), LoraConfig(target_modules=names, init_lora_weights=False))
    ids = torch.arange(10, 50, 3)[None]
    wrapped(input_ids=ids, labels=ids).loss.backward()
    learning = {name: each for name, each in wrapped.named_parameters() if each.requires_grad}
    assert all(each.grad is not None and each.grad.any() for each in learning.values())


def test_some_rows_of_the_table_are_adapted(trained: Trained) -> None:
    config = LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn"], trainable_token_indices=[11, 12])
    wrapped, given = get_peft_model(trained.model("gpt2").split_layers(), config), inputs("CAUSAL_LM")
    losses = learn(wrapped.train(), given)
    assert losses[-1] < losses[0]
    wrapped.save_pretrained(trained.root / "adapter")
    again = peft.PeftModel.from_pretrained(trained.model("gpt2").split_layers(), trained.root / "adapter")
    torch.testing.assert_close(again.eval()(**given).logits, wrapped.eval()(**given).logits)


def test_an_adapter_learns_in_the_trainer(trained: Trained) -> None:
    wrapped = get_peft_model(trained.model("bert").split_layers(), LoraConfig(task_type="SEQ_CLS"))
    trainer = trained.trainer("bert", wrapped, label_names=["labels"])
    trainer.train()
    trainer.save_model(str(trained.root / "adapter"))
    again = peft.PeftModel.from_pretrained(trained.model("bert").split_layers(), trained.root / "adapter").eval()
    given = inputs("SEQ_CLS")
    torch.testing.assert_close(again(**given).logits, wrapped.eval()(**given).logits, rtol=1e-3, atol=1e-3)
