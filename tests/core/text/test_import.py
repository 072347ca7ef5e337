"""Tokenizing without tensors needs no torch, so it does not import it."""

import subprocess
import sys
from pathlib import Path

from tests.core.text.folders import VOCABULARY, write

PROGRAM = """
import sys
from tfx_core.checkpoint import open_folder
from tfx_core.text import TextFacts, read_tokenizer
from tfx_core.text.recipes import wordpiece_recipe
tokens = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]"}
tokenizer = read_tokenizer(open_folder(sys.argv[1]), wordpiece_recipe(TextFacts("BertTokenizer", tokens)))
batch = tokenizer(["hello", "the quick"], padding=True, return_tensors="np")
tokenizer.batch_decode(batch.input_ids)
tokenizer.save_pretrained(sys.argv[2])
assert "torch" not in sys.modules, "torch was imported"
assert "transformers" not in sys.modules
tokenizer("hello", return_tensors="pt")
assert "torch" in sys.modules
"""


def test_torch_is_imported_when_a_tensor_is_first_asked_for(tmp_path: Path) -> None:
    folder = write(tmp_path / "model", {"vocab.txt": VOCABULARY})
    arguments = [sys.executable, "-c", PROGRAM, str(folder), str(tmp_path / "saved")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
