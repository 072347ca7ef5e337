"""The worked example of a third party's architecture against the reference's Llama, out of and into its folders."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
import transformers
from torch import Tensor

import tfx_core
import tfx_llama.plugin
from tests.models.tiny import perturbed

CLASSES = {
    "LlamaModel": "backbone",
    "LlamaForCausalLM": "causal-lm",
    "LlamaForSequenceClassification": "sequence-classification",
    "LlamaForTokenClassification": "token-classification",
    "LlamaForQuestionAnswering": "question-answering",
}
LLAMA_3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16}
VARIANTS: dict[str, dict[str, Any]] = {
    "tied": {"tie_word_embeddings": True},
    "biases": {"attention_bias": True, "mlp_bias": True},
    "wide-heads": {"head_dim": 10},
    "own-keys": {"num_key_value_heads": 4},
    "linear": {"rope_scaling": {"rope_type": "linear", "factor": 3.0}},
    "linear-of-old": {"rope_scaling": {"type": "linear", "factor": 3.0}},
    "llama-3": {"rope_scaling": {"rope_type": "llama3", **LLAMA_3}, "rope_theta": 100.0},
}
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(autouse=True)
def plugin() -> Iterator[None]:
    with tfx_core.register(tfx_llama.plugin):
        yield


def models(class_name: str, folder: Path, **changes: Any) -> tuple[Any, tfx_core.Model]:
    """The reference's model, perturbed, and what we read of its folder."""
    sizes = {"vocab_size": 53, "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3, "rope_theta": 500.0}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "pad_token_id": 0, "max_position_embeddings": 40}
    config = transformers.LlamaConfig(**{**sizes, **heads, **changes}, attn_implementation="eager")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = perturbed(getattr(transformers, class_name)(config), 1, 0.1).eval()
    theirs.save_pretrained(folder)
    return theirs, tfx_core.load_model(folder)


def batch(side: str | None) -> tuple[Tensor, Tensor]:
    """Ids and mask ``(3, 9)``, padded on one side, or on none."""
    mask = torch.ones(3, 9, dtype=torch.long)
    for row, missing in enumerate((0, 5, 2)):
        if side:
            mask[row, slice(missing) if side == "left" else slice(9 - missing, None)] = 0
    return torch.randint(3, 53, (3, 9), generator=torch.Generator().manual_seed(3)) * mask, mask


def labels(head: str, ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """What a head learns from."""
    return {
        "backbone": {},
        "causal-lm": {"labels": ids.masked_fill(mask == 0, -100)},
        "sequence-classification": {"labels": torch.tensor([1, 0, 1])},
        "token-classification": {"labels": (ids % 2).masked_fill(mask == 0, -100)},
        "question-answering": {"start_positions": torch.tensor([1, 2, 0]), "end_positions": torch.tensor([3, 3, 4])},
    }[head]


def compare(theirs: Any, ours: tfx_core.Model, inputs: dict[str, Tensor], real: Any) -> None:
    """Outputs, loss and gradients."""
    expected, given = theirs(**inputs, use_cache=False), ours(**inputs)
    assert list(given) == [name for name in expected if name != "past_key_values"]
    for name, value in expected.items():
        mine = given[name]
        if value.shape[:2] == real.shape:
            value, mine = value[real], mine[real]
        torch.testing.assert_close(mine, value, **TOLERANCE)
    for model, output in ((theirs, expected), (ours, given)):
        model.zero_grad()
        (output["loss"] if "loss" in output else output["last_hidden_state"][real].square().sum()).backward()
    with torch.no_grad():
        for model in (theirs, ours):  # what is written is then the gradient, under the checkpoint's names
            for parameter in model.parameters():
                parameter.copy_(parameter.grad if parameter.grad is not None else torch.zeros_like(parameter))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("class_name", CLASSES)
def test_outputs_loss_and_gradients_are_the_references(class_name: str, variant: str, tmp_path: Path) -> None:
    theirs, ours = models(class_name, tmp_path / "theirs", **VARIANTS[variant])
    assert ours.head_name == CLASSES[class_name]
    # the reference's spans begin and end in padding, too
    ids, mask = batch(None if class_name == "LlamaForQuestionAnswering" else "right")
    inputs = {"input_ids": ids, "attention_mask": mask, **labels(ours.head_name, ids, mask)}
    compare(theirs, ours, inputs, mask.bool())
    ours.save_pretrained(tmp_path / "gradients")
    again = type(theirs).from_pretrained(tmp_path / "gradients", local_files_only=True)
    gradients = again.state_dict()
    for name, gradient in theirs.state_dict().items():
        message = f"gradient of {name}"
        torch.testing.assert_close(gradients[name], gradient, **TOLERANCE, msg=message)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("class_name", CLASSES)
def test_the_folder_written_back_is_the_references(class_name: str, variant: str, tmp_path: Path) -> None:
    theirs, ours = models(class_name, tmp_path / "theirs", **VARIANTS[variant])
    ours.save_pretrained(tmp_path / "ours")
    again, report = type(theirs).from_pretrained(tmp_path / "ours", output_loading_info=True, local_files_only=True)
    assert not any(report.values())
    back = again.state_dict()
    assert all(torch.equal(tensor, back[key]) for key, tensor in theirs.state_dict().items())
    written = json.loads((tmp_path / "ours" / "config.json").read_text())
    assert written["model_type"] == "llama"
    assert again.config.rope_scaling == theirs.config.rope_scaling


@pytest.mark.parametrize("variant", ["linear", "llama-3"])
def test_newer_files_have_the_rotation_under_another_key(variant: str, tmp_path: Path) -> None:
    theirs, _ = models("LlamaForCausalLM", tmp_path, **VARIANTS[variant])
    values = json.loads((tmp_path / "config.json").read_text())
    values["rope_parameters"] = {"rope_theta": values.pop("rope_theta"), **values.pop("rope_scaling")}
    (tmp_path / "config.json").write_text(json.dumps(values))
    ids, mask = batch("right")
    expected = theirs(ids, attention_mask=mask).logits[mask.bool()]
    given = tfx_core.load_model(tmp_path)(ids, attention_mask=mask).logits[mask.bool()]
    torch.testing.assert_close(given, expected, **TOLERANCE)


@pytest.mark.parametrize("positions", [list(range(7, 16)), [0, 3, 4, 9, 10, 11, 20, 21, 30]])
def test_positions_given_by_the_caller_are_the_references(positions: list[int], tmp_path: Path) -> None:
    theirs, ours = models("LlamaForCausalLM", tmp_path)
    ids, given = batch("right")[0][:1], torch.tensor([positions])
    expected = theirs(ids, position_ids=given).logits
    torch.testing.assert_close(ours(ids, position_ids=given).logits, expected, **TOLERANCE)


@pytest.mark.parametrize("variant", ["tied", "llama-3"])
@pytest.mark.parametrize(
    "options", [{}, {"num_beams": 3}, {"num_beams": 4, "num_return_sequences": 2, "no_repeat_ngram_size": 2}]
)
def test_generated_ids_are_the_references(options: dict[str, int], variant: str, tmp_path: Path) -> None:
    theirs, ours = models("LlamaForCausalLM", tmp_path, **VARIANTS[variant])
    ids, mask = batch("left")
    # not 0: the reference's beams take that for none
    call = {"attention_mask": mask, "max_new_tokens": 12, "pad_token_id": 1, **options}
    assert ours.generate(ids, **call).tolist() == theirs.generate(ids, do_sample=False, **call).tolist()


TEXTS = ["a plain text", "  two blanks  and\na line", "grüße 日本 🙂", "<s> inside </s> of it", ""]


@pytest.mark.parametrize("around", [{}, {"add_eos_token": True}, {"add_bos_token": False}])
@pytest.mark.parametrize("legacy", [True, False])
def test_a_sentencepiece_model_is_read_as_the_reference_reads_it(
    legacy: bool, around: dict[str, bool], tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("a plain text and more of it\nanother line with blanks\nthe last line inside of it\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(tmp_path / "tokenizer"), model_type="bpe", vocab_size=320,
        byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, minloglevel=2,
    )  # fmt: skip
    files = str(tmp_path / "tokenizer.model")
    transformers.LlamaTokenizer(files, legacy=legacy, **around).save_pretrained(tmp_path)
    theirs = transformers.LlamaTokenizerFast(files, legacy=legacy, from_slow=True, add_prefix_space=True, **around)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    ours = tfx_core.load_tokenizer(tmp_path)
    for text in TEXTS:
        assert ours(text)["input_ids"] == theirs(text)["input_ids"], text
        assert ours(text, "a pair")["input_ids"] == theirs(text, "a pair")["input_ids"], text
        assert ours.decode(ours(text)["input_ids"]) == theirs.decode(theirs(text)["input_ids"]), text
    ours.save_pretrained(tmp_path / "saved")
    assert tfx_core.load_tokenizer(tmp_path / "saved")(TEXTS)["input_ids"] == ours(TEXTS)["input_ids"]
