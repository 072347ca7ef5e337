"""A Longformer out of a model with full attention: the same numbers where the window reaches, and longer texts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.core.cli.running import run
from tests.models.labelled import tiny_model
from tests.models.released import released
from tests.models.tiny import random_ids, tiny_config
from tfx_core.errors import ConfigError, InputError
from tfx_core.model import Model
from tfx_encoders.longformer import convert_checkpoint, to_longformer

LONG, WINDOW = 50, 24
SOURCES = ("roberta", "xlm-roberta", "bert")
HEADS = (
    *("backbone", "masked-lm", "sequence-classification"),
    *("token-classification", "question-answering", "multiple-choice"),
)


def results(model: Model, ids: Tensor, **inputs: Any) -> list[Tensor]:
    with torch.no_grad():
        output = model(ids, **inputs)
    return [each for each in output.values() if isinstance(each, Tensor) and each.is_floating_point()]


def stored(name: str, head: str, folder: Path) -> Path:
    """A checkpoint folder with the family's released tokenizer files."""
    tokenizer = tfx_core.load_tokenizer(released(name, folder))
    sizes = {**tiny_config(name), "vocab_size": len(tokenizer)}
    tfx_core.new_model(name, head=head, seed=0, **sizes).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("head", HEADS)
def test_a_text_in_the_window_gets_the_numbers_of_the_source(name: str, head: str) -> None:
    source = tiny_model(name, head)
    model = to_longformer(source, max_positions=LONG, window=WINDOW)
    assert (model.config.model_type, model.max_positions, model.training) == ("longformer", LONG, False)
    ids = random_ids(name, 3, 10)
    mask = torch.ones(3, 10, dtype=torch.long)
    mask[1, 6:] = mask[2, :2] = 0
    shape = (3, 1, 10) if head == "multiple-choice" else (3, 10)
    for everywhere in (torch.zeros_like(ids), mask):  # with the copied projections a global token sees the same
        inputs = {"attention_mask": mask.view(shape)}
        got = results(model, ids.view(shape), global_attention_mask=everywhere.view(shape), **inputs)
        for each, expected in zip(got, results(source, ids.view(shape), **inputs), strict=True):
            real = mask.bool() if each.shape[:2] == mask.shape else slice(None)
            torch.testing.assert_close(each[real], expected[real], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", SOURCES)
def test_positions_are_repeated_and_long_texts_read(name: str) -> None:
    source = tiny_model(name, "backbone")
    model = to_longformer(source, max_positions=LONG, window=[4, *[8] * (source.config.num_hidden_layers - 1)])
    known, first = source.max_positions, model.backbone.first_position
    assert known is not None
    table = model.backbone.embeddings.position.weight[first:]
    assert len(table) == LONG
    own = source.backbone.embeddings.position.weight[source.backbone.first_position :]
    assert all(table[place].equal(own[place % known]) for place in range(LONG))
    ids = random_ids(name, 1, LONG)
    assert results(model, ids)[0].shape[:2] == (1, LONG)
    again = to_longformer(source, max_positions=LONG, window=4)
    assert again.backbone.embeddings.position.weight.equal(model.backbone.embeddings.position.weight)
    model.backbone.embeddings.token.weight.data.zero_()
    assert bool(source.backbone.embeddings.token.weight.any()), "the source is a model of its own"


def test_a_converted_model_trains_and_keeps_what_it_was(tmp_path: Path) -> None:
    source = tiny_model("roberta", "sequence-classification", num_labels=3).train().to(torch.bfloat16)
    model = to_longformer(source, max_positions=LONG, window=WINDOW)
    assert model.training
    assert (model.dtype, model.config.num_labels) == (torch.bfloat16, 3)
    model(random_ids("roberta", 2, 30), labels=torch.tensor([0, 2])).loss.backward()
    assert all(each.grad is not None for each in model.parameters() if each.requires_grad)
    model.save_pretrained(tmp_path)
    assert tfx_core.load_model(tmp_path, dtype="auto").dtype == torch.bfloat16


CANNOT: dict[str, tuple[Callable[[], Model], dict[str, Any], str]] = {
    "another": (lambda: tiny_model("albert", "backbone"), {}, "a model of type albert: those that become a Longformer"),
    "a head": (lambda: tiny_model("bert", "next-sentence"), {}, "head 'next-sentence': a Longformer has none like it"),
    "a decoder": (
        lambda: tiny_model("roberta", "backbone", is_decoder=True),
        {},
        "is_decoder=True in the config of this roberta",
    ),
    "positions": (
        lambda: tiny_model("bert", "backbone", position_embedding_type="relative_key"),
        {},
        "position_embedding_type='relative_key' in the config of this bert",
    ),
    "no padding": (
        lambda: tiny_model("bert", "backbone", pad_token_id=None),
        {},
        "pad_token_id=None in the config of this bert",
    ),
    "activation": (
        lambda: tiny_model("bert", "masked-lm", hidden_act="relu"),
        {},
        "hidden_act='relu' in the config of this bert",
    ),
    "shorter": (lambda: tiny_model("bert", "backbone"), {"max_positions": 3}, "max_positions=3: this bert reads"),
    "none": (lambda: tiny_model("bert", "backbone"), {"max_positions": 0}, "max_positions=0: must be an integer"),
    "odd": (lambda: tiny_model("bert", "backbone"), {"window": 7}, "attention_window"),
    "no window": (lambda: tiny_model("bert", "backbone"), {"window": 0}, "attention_window"),
    "layers": (lambda: tiny_model("bert", "backbone"), {"window": [2] * 9}, "one for each of num_hidden_layers"),
}


@pytest.mark.parametrize("what", CANNOT)
def test_what_cannot_become_one_is_told(what: str) -> None:
    source, options, expected = CANNOT[what]
    with pytest.raises((InputError, ConfigError)) as caught:
        to_longformer(source(), **options)
    assert expected in str(caught.value)


def test_pruned_heads_have_no_place() -> None:
    source = tiny_model("bert", "backbone")
    source.prune_heads({0: [0]})
    with pytest.raises(InputError, match="pruned_heads="):
        to_longformer(source)


@pytest.mark.parametrize("name", SOURCES)
def test_a_checkpoint_is_converted_with_its_tokenizer(name: str, tmp_path: Path) -> None:
    source = stored(name, "masked-lm", tmp_path / "source")
    model = convert_checkpoint(source, tmp_path / "long", max_positions=LONG, window=WINDOW)
    loaded, tokenizer = tfx_core.load_model(tmp_path / "long"), tfx_core.load_tokenizer(tmp_path / "long")
    assert loaded.head_name == "masked-lm"
    before = tfx_core.load_tokenizer(source)
    assert tokenizer.model_max_length == LONG
    assert tokenizer.sep_token_id == loaded.config.sep_token_id == before.sep_token_id
    assert tokenizer("hello abc", "worlds")["input_ids"] == before("hello abc", "worlds")["input_ids"]
    ids = torch.tensor([tokenizer("hello abc")["input_ids"]])
    for each, expected in zip(results(loaded, ids), results(tfx_core.load_model(source), ids), strict=True):
        torch.testing.assert_close(each, expected, atol=1e-6, rtol=1e-5)
    assert model.state_dict().keys() == loaded.state_dict().keys()


def test_the_command_converts_and_overwrites_nothing(tmp_path: Path) -> None:
    source, target = str(stored("roberta", "masked-lm", tmp_path / "source")), tmp_path / "long"
    options = ("--max-positions", str(LONG), "--window", str(WINDOW))
    result = run("convert", "longformer", source, str(target), *options)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{target}: a Longformer with head 'masked-lm' for {LONG} tokens\n"
    config = json.loads((target / "config.json").read_text())
    assert (config["model_type"], config["attention_window"]) == ("longformer", WINDOW)
    again = run("convert", "longformer", source, str(target), *options)
    assert again.exit_code == 1
    assert "has something in it; give an empty or new folder as TARGET, or --force" in again.stderr
    forced = run("convert", "longformer", source, str(target), *options, "--force", "--json", "--head", "backbone")
    assert json.loads(forced.stdout) == {
        "model": str(target),
        "head": "backbone",
        "max_positions": LONG,
        "window": WINDOW,
    }
    itself = run("convert", "longformer", source, source, *options, "--force")
    assert "is SOURCE itself" in itself.stderr
    odd = run("convert", "longformer", source, str(tmp_path / "odd"), "--max-positions", str(LONG), "--window", "3")
    assert odd.exit_code == 1
    assert "attention_window" in odd.stderr
    assert not (tmp_path / "odd").exists()
    none = run("convert", "longformer", str(tmp_path / "nowhere"), str(tmp_path / "odd"))
    assert none.exit_code == 1
    assert "Traceback" not in none.stderr
