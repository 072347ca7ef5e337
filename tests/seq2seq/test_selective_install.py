"""tfx-core and tfx-seq2seq alone translate and summarise, with no other family present.

The session that tests this distribution installs these two wheels and nothing else of ours (TFX_TESTED_WHEELS names
them, and tests/conftest.py refuses others). A developer's environment has every family: there the others are shut off.
"""

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tfx_core
from tests.models.tiny import perturbed, tiny_config
from tfx_testing.byte_tokenizer import byte_ids, save_byte_tokenizer

ALONE = ["tfx-core", "tfx-seq2seq"]
TEXTS = ["Open the file", "Close all windows"]
TOKENIZERS = {"bart": ("<s>", "<pad>", "</s>", "<unk>"), "t5": ("<pad>", "</s>", "<unk>")}
ENDS = {"bart": "<s> $A </s>", "t5": "$A </s>"}
WITHOUT_OTHERS = """
import importlib.metadata
import sys
from importlib.abc import MetaPathFinder

class Shut(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top.startswith("tfx_") and top not in {"tfx_core", "tfx_seq2seq"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Shut())
installed = importlib.metadata.distributions
importlib.metadata.distributions = lambda **given: (
    each
    for each in installed(**given)
    if not str(each.name).startswith("tfx-") or each.name in {"tfx-core", "tfx-seq2seq"}
)
from tfx_core.cli import main
sys.argv[0] = "tfx-core"
main()
"""

ADDED = {"t5": 100}
"""Tokens that a family's tokenizer has besides."""


def saved(folder: Path, model_type: str) -> Path:
    """A random model that reads and writes bytes, and its tokenizer."""
    ids = byte_ids(TOKENIZERS[model_type])
    config = {**tiny_config(model_type), "vocab_size": len(ids) + ADDED.get(model_type, 0)}
    model = tfx_core.new_model(model_type, head="conditional-generation", seed=1, **config).eval()
    perturbed(model, 2, 0.3)
    model.generation_config = {
        "decoder_start_token_id": model.config.decoder_start_token_id,
        "eos_token_id": ids["</s>"],
        "pad_token_id": ids["<pad>"],
        "suppress_tokens": [ids[token] for token in TOKENIZERS[model_type] if token != "</s>"],
        "max_new_tokens": 8,
    }
    model.save_pretrained(folder)
    roles = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    save_byte_tokenizer(folder, TOKENIZERS[model_type], roles, ENDS[model_type])
    return folder


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """``tfx-core`` in a process of its own, to which no other family of ours exists."""
    if "TFX_TESTED_WHEELS" in os.environ:  # nothing to shut off: the command as a user starts it
        start = [str(Path(sys.executable).with_name("tfx-core"))]
    else:
        start = [sys.executable, "-c", WITHOUT_OTHERS]
    return subprocess.run([*start, *arguments], capture_output=True, text=True, encoding="utf-8", timeout=300)


def test_the_tested_environment_holds_these_two_and_the_kit_alone() -> None:
    ours = sorted(str(each.name) for each in importlib.metadata.distributions() if str(each.name).startswith("tfx-"))
    if "TFX_TESTED_WHEELS" not in os.environ:
        assert set(ALONE) <= set(ours)
        return
    assert ours == [*ALONE, "tfx-testing"]
    for family in ("encoders", "decoders", "multimodal", "retrieval"):
        assert importlib.util.find_spec(f"tfx_{family}") is None


@pytest.mark.parametrize(
    ("model_type", "task", "key"),
    [("t5", "translation", "translation_text"), ("bart", "summarization", "summary_text")],
)
def test_they_translate_and_summarise(tmp_path: Path, model_type: str, task: str, key: str) -> None:
    folder = saved(tmp_path / model_type, model_type)
    done = command("run", task, "--model", str(folder), "--json", *TEXTS)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert records == tfx_core.pipeline(task, model=folder)(TEXTS)
    assert [list(record) for record in records] == [[key]] * 2
    assert all(record[key] for record in records)


def test_they_list_no_other_familys_architecture() -> None:
    done = command("architectures", "--json")
    assert done.returncode == 0, done.stderr
    listed = done.stdout
    assert '"t5"' in listed
    assert '"bert"' not in listed


def test_another_familys_checkpoint_is_answered_with_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    done = command("run", "translation", "--model", str(tmp_path), "x")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "install tfx-encoders" in done.stderr
