"""Checkpoint folders that cannot be used: one error that names the file, the key, the value and what would do."""

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import tfx_core
from tests.models.tiny import random_ids, tiny_config
from tfx_core.errors import CheckpointError, ConfigError, InputError, TextError, TfxError, UnknownNameError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound BERT with a vocabulary."""
    tfx_core.new_model("bert", head="masked-lm", seed=0, **tiny_config("bert")).save_pretrained(tmp_path)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{number}" for number in range(48))]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    return tmp_path


def change(folder: Path, **values: Any) -> None:
    """Other values in config.json; ``None`` removes a key."""
    file = folder / "config.json"
    config = {**json.loads(file.read_text()), **values}
    file.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


def test_the_sound_folder_loads(folder: Path) -> None:
    assert tfx_core.load_model(folder).head_name == "masked-lm"
    assert tfx_core.load_tokenizer(folder)("w3 [MASK]")["input_ids"] == [2, 8, 4, 3]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"model_type": None}, "model_type=None: must name an architecture; installed are .*bert"),
        ({"model_type": 7}, "model_type=7: must name an architecture"),
        ({"hidden_size": "24"}, "hidden_size='24': must be an integer at least 1"),
        ({"hidden_size": -24}, "hidden_size=-24: must be an integer at least 1"),
        ({"num_attention_heads": 5}, "num_attention_heads=5: must be a divisor of hidden_size=24"),
        ({"hidden_act": "gelo"}, "hidden_act='gelo': must be one of 'gelu'"),
        ({"position_embedding_type": "rotary"}, "position_embedding_type='rotary': must be one of 'absolute'"),
        ({"pruned_heads": {"0": [9]}}, "pruned_heads=.*4 heads in each of 3 layers"),
        ({"architectures": ["BertForMagic"]}, r"architectures=\['BertForMagic'\]: bert has BertModel"),
        ({"architectures": "BertModel"}, "architectures='BertModel': must be a list"),
    ],
)
def test_a_bad_config_names_file_key_value_and_what_is_allowed(folder: Path, values: dict[str, Any], said: str) -> None:
    change(folder, **values)
    with pytest.raises(ConfigError, match=said) as caught:
        tfx_core.load_model(folder)
    assert f"{folder}/config.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("contents", ["", "{", "[1, 2]", "\udcff", "nonsense"])
def test_a_config_that_is_no_json_object_is_named(folder: Path, contents: str) -> None:
    (folder / "config.json").write_bytes(contents.encode("utf-8", "surrogateescape"))
    with pytest.raises(TfxError, match=r"config\.json"):
        tfx_core.load_model(folder)


def test_a_folder_without_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json: there is no such file"):
        tfx_core.load_model(tmp_path)


def test_a_folder_of_an_adapter_says_whose_it_is(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"holds an adapter and no model; .* peft.PeftModel.from_pretrained"):
        tfx_core.load_model(tmp_path)


def test_values_of_another_kind_are_told_before_anything_is_loaded(folder: Path) -> None:
    for load in (tfx_core.load_model, tfx_core.new_model):
        with pytest.raises(InputError, match="dtype='int16': must be 'auto' or one of 'float32'"):
            load(folder, dtype=torch.int16)  # type: ignore[operator]
        with pytest.raises(InputError, match="head=3: must be a string"):
            load(folder, head=3)  # type: ignore[operator]
    with pytest.raises(InputError, match="name=None: must be a string"):
        tfx_core.new_model(None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"device=\['cpu'\]: on this machine it is one of cpu"):
        tfx_core.load_model(folder, device_map=["cpu"])
    for theirs in ("dtype", "torch_dtype"):
        assert tfx_core.load_model(folder, **{theirs: None}).dtype == torch.float32


def test_an_unknown_architecture_head_and_task_are_named(folder: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"'brt'.*did you mean 'bert'"):
        tfx_core.new_model("brt")
    with pytest.raises(UnknownNameError, match="no head 'magic' for bert: it has backbone, masked-lm"):
        tfx_core.load_model(folder, head="magic")
    with pytest.raises(UnknownNameError, match=r"'fil-mask'.*did you mean 'fill-mask'"):
        tfx_core.pipeline("fil-mask", model=folder)


def test_a_head_that_is_asked_for_wins_over_a_class_that_is_not_known(folder: Path) -> None:
    change(folder, architectures=["BertForStrangeThings"])
    with pytest.raises(TfxError, match=r"architectures=.*give head= to load it all the same"):
        tfx_core.load_model(folder)
    assert tfx_core.load_model(folder, head="masked-lm").head_name == "masked-lm"


@pytest.mark.parametrize(("wrong", "right"), [("Bert", "bert"), ("BERT", "bert")])
def test_the_case_of_a_model_type_does_not_hide_what_was_meant(wrong: str, right: str) -> None:
    with pytest.raises(UnknownNameError, match=f"did you mean '{right}'"):
        tfx_core.new_model(wrong)


def test_a_folder_without_weights_says_what_was_looked_for(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        tfx_core.load_model(folder)


def test_a_vocabulary_of_another_size_than_the_models_is_found_at_the_id(folder: Path) -> None:
    with (folder / "vocab.txt").open("a") as file:
        file.write("beyond\n")
    tokens = tfx_core.load_tokenizer(folder)("beyond", return_tensors="pt")
    with pytest.raises(InputError, match="input_ids: id 53 is not one of this model's, 0 to 52"):
        tfx_core.load_model(folder)(**tokens)


def test_tokenizer_files_that_are_missing_or_no_text_are_named(folder: Path) -> None:
    (folder / "vocab.txt").write_bytes(b"[PAD]\n\xff\xfe\n")
    with pytest.raises(TextError, match=r"vocab\.txt"):
        tfx_core.load_tokenizer(folder)
    (folder / "vocab.txt").unlink()
    with pytest.raises(TextError, match=r"vocab\.txt"):
        tfx_core.load_tokenizer(folder)


def test_a_text_beyond_the_positions_is_cut_only_if_asked(folder: Path) -> None:
    text = " ".join(["w1"] * 60) + " [MASK]"
    task = tfx_core.pipeline("fill-mask", model=folder)
    with pytest.raises(InputError, match="40"):
        task([text])
    assert len(task(["[MASK] " + text], truncation=True)[0]) == 5


def test_a_full_disk_leaves_the_old_checkpoint(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    changed = tfx_core.new_model("bert", head="masked-lm", seed=9, **tiny_config("bert"))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(CheckpointError, match="No space left on device"):
            changed.save_pretrained(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    changed.save_pretrained(folder)
    ids = random_ids("bert", 1, 5)
    assert torch.equal(tfx_core.load_model(folder)(ids).logits, changed.eval()(ids).logits)


def test_nothing_of_a_folder_is_executed(folder: Path) -> None:
    (folder / "modeling_evil.py").write_text("raise SystemExit('executed')\n")
    change(folder, auto_map={"AutoModel": "modeling_evil.Evil"}, custom_pipelines={"x": {"impl": "modeling_evil.Evil"}})
    assert tfx_core.load_model(folder).head_name == "masked-lm"
    assert "modeling_evil" not in sys.modules
