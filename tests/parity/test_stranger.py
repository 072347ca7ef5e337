"""The worked example of a third party's architecture against the reference's LLaMA, out of and into its folders."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

import tfx_core
from tests.core import stranger_llama
from tests.models.tiny import perturbed

CLASSES = ["LlamaModel", "LlamaForCausalLM", "LlamaForSequenceClassification", "LlamaForTokenClassification"]


@pytest.fixture(autouse=True)
def plugin() -> Iterator[None]:
    with tfx_core.register(stranger_llama):
        yield


def models(class_name: str, folder: Path, **changes: Any) -> tuple[Any, tfx_core.Model]:
    """The reference's model, perturbed, and what we read of its folder."""
    sizes = {"vocab_size": 53, "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3, "rope_theta": 500.0}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "pad_token_id": 0, "max_position_embeddings": 40}
    config = transformers.LlamaConfig(**sizes, **heads, **changes, attn_implementation="eager")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = perturbed(getattr(transformers, class_name)(config), 1, 0.1).eval()
    theirs.save_pretrained(folder)
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**values, "model_type": "stranger-llama"}))
    return theirs, tfx_core.load_model(folder)


def batch(side: str) -> tuple[Tensor, Tensor]:
    """Ids and mask ``(3, 9)``, padded on one side."""
    mask = torch.ones(3, 9, dtype=torch.long)
    for row, missing in enumerate((0, 5, 2)):
        mask[row, slice(missing) if side == "left" else slice(9 - missing, None)] = 0
    return torch.randint(3, 53, (3, 9), generator=torch.Generator().manual_seed(3)) * mask, mask


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("class_name", CLASSES)
def test_outputs_are_the_references(class_name: str, tied: bool, tmp_path: Path) -> None:
    theirs, ours = models(class_name, tmp_path / "theirs", tie_word_embeddings=tied)
    ids, mask = batch("right")
    name = "last_hidden_state" if class_name == "LlamaModel" else "logits"
    expected, given = theirs(ids, attention_mask=mask)[name], ours(ids, attention_mask=mask)[name]
    real = mask.bool() if expected.dim() == 3 else slice(None)
    torch.testing.assert_close(given[real], expected[real], rtol=1e-4, atol=1e-5)
    ours.save_pretrained(tmp_path / "ours")
    again, report = type(theirs).from_pretrained(tmp_path / "ours", output_loading_info=True, local_files_only=True)
    assert not any(report.values())
    back = again.state_dict()
    assert all(torch.equal(tensor, back[key]) for key, tensor in theirs.state_dict().items())


@pytest.mark.parametrize("positions", [list(range(7, 16)), [0, 3, 4, 9, 10, 11, 20, 21, 30]])
def test_positions_given_by_the_caller_are_the_references(positions: list[int], tmp_path: Path) -> None:
    theirs, ours = models("LlamaForCausalLM", tmp_path)
    ids, given = batch("right")[0][:1], torch.tensor([positions])
    expected = theirs(ids, position_ids=given).logits
    torch.testing.assert_close(ours(ids, position_ids=given).logits, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "options", [{}, {"num_beams": 3}, {"num_beams": 4, "num_return_sequences": 2, "no_repeat_ngram_size": 2}]
)
def test_generated_ids_are_the_references(options: dict[str, int], tmp_path: Path) -> None:
    theirs, ours = models("LlamaForCausalLM", tmp_path)
    ids, mask = batch("left")
    call = {"attention_mask": mask, "max_new_tokens": 12, "pad_token_id": 0, **options}
    assert ours.generate(ids, **call).tolist() == theirs.generate(ids, do_sample=False, **call).tolist()
