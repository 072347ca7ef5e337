"""Text as Llama 3 has it, a byte-level ``tokenizer.json`` alone, and what ``tokenizer_config.json`` says over one."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

import tfx_core

BEGIN, END = "<|begin_of_text|>", "<|end_of_text|>"


def folder(path: Path, **config: Any) -> Path:
    """A checkpoint's text files, with one token for each byte."""
    signs = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({sign: number for number, sign in enumerate(signs)}, []))
    tokenizer.add_special_tokens([BEGIN, END])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    around = processors.TemplateProcessing(single=f"{BEGIN} $A", special_tokens=[(BEGIN, 256)])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), around])
    tokenizer.save(str(path / "tokenizer.json"))
    (path / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": 258}))
    told = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": BEGIN, "eos_token": END, **config}
    (path / "tokenizer_config.json").write_text(json.dumps(told))
    return path


def test_a_byte_level_tokenizer_of_llama_3_is_what_its_file_says(tmp_path: Path) -> None:
    tokenizer = tfx_core.load_tokenizer(folder(tmp_path))
    ids = tokenizer("grüße 🙂")["input_ids"]
    assert ids[0] == 256
    assert len(ids) == 1 + len("grüße 🙂".encode())
    assert tokenizer.decode(ids, skip_special_tokens=True) == "grüße 🙂"
    assert (len(tokenizer), tokenizer.unk_token, tokenizer.eos_token_id) == (258, None, 257)  # no <unk> of Llama 1


@pytest.mark.parametrize(
    ("told", "first", "last"),
    [({}, True, False), ({"add_bos_token": False}, False, False), ({"add_eos_token": True}, True, True)],
)
def test_what_stands_around_a_text_is_what_the_folder_says(
    told: dict[str, bool], first: bool, last: bool, tmp_path: Path
) -> None:
    tokenizer = tfx_core.load_tokenizer(folder(tmp_path, tokenizer_class="LlamaTokenizer", **told))
    ids = tokenizer("text")["input_ids"]
    assert (ids[0] == 256, ids[-1] == 257) == (first, last)
    tokenizer.save_pretrained(tmp_path / "saved")
    (tmp_path / "saved/config.json").write_text((tmp_path / "config.json").read_text())
    assert tfx_core.load_tokenizer(tmp_path / "saved")("text")["input_ids"] == ids
