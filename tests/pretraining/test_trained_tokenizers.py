"""A tokenizer trained for each family that has one of its own, saved and read back."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import tfx_core
from tests.cases import architectures
from tfx_core.cli import cli
from tfx_core.errors import InputError
from tfx_core.model import load_architecture
from tfx_training import train_tokenizer

TEXTS = [
    "the cat sat on the mat, and the hat.",
    "A dog's day: 3 cats in 25 hats!",
    "these are the words that are there",
] * 4
NONE = {"marian", "rag", "mmbt", "resnet"}
"""Two files of which one numbers the other's tokens, those of other models, and no texts at all."""

FIRST = {
    "albert": ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"],
    "bert": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    "mbart": ["<s>", "<pad>", "</s>", "<unk>"],
    "pegasus": ["<pad>", "</s>", "<mask_1>", "<mask_2>", "<unk_2>"],
    "reformer": ["<unk>", "<s>", "</s>"],
    "roberta": ["<s>", "<pad>", "</s>", "<unk>"],
    "t5": ["<pad>", "</s>", "<unk>"],
    "transfo-xl": ["<eos>", "<unk>", "<formula>"],
    "xlm": ["<s>", "</s>", "<pad>", "<unk>", "<special0>", "<special1>"],
    "xlm-prophetnet": ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", "[unused0]"],
    "xlm-roberta": ["<s>", "<pad>", "</s>", "<unk>"],
    "xlnet": ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"],
}
LAST = {"gpt2": ["<|endoftext|>"], "roberta": ["<mask>"], "t5": ["<extra_id_1>", "<extra_id_0>"], "mbart": ["<mask>"]}


def families() -> Iterator[str]:
    return (spec.name for spec in architectures() if spec.name not in NONE)


def in_order(vocabulary: Mapping[str, int]) -> list[str]:
    return sorted(vocabulary, key=vocabulary.__getitem__)


@pytest.mark.parametrize("name", sorted(families()))
def test_a_family(name: str, tmp_path: Path) -> None:
    """It has the size that was asked for or less, special tokens where released files have them, and reads back."""
    size = 340
    made = train_tokenizer(TEXTS, name, vocab_size=size)
    assert 20 < len(made) <= size
    tokens = in_order(made.get_vocab())
    assert tokens[: len(FIRST.get(name, []))] == FIRST.get(name, [])
    assert tokens[len(tokens) - len(LAST.get(name, [])) :] == LAST.get(name, [])
    assert not [token for token in tokens if "▁" in token.lstrip("▁") and token not in made.all_special_tokens]
    config: Any = load_architecture(name).config
    for role in ("pad", "bos", "eos"):
        number, own = getattr(config, f"{role}_token_id", None), getattr(made, f"{role}_token_id")
        if number is not None and own is not None and number < 100 and name != "xlm-prophetnet":
            assert own == number, role

    for text in TEXTS[:3]:
        ids = made(text, add_special_tokens=False)["input_ids"]
        assert made.unk_token_id not in ids
        assert len(ids) < len(text)
    made.save_pretrained(tmp_path)
    back = tfx_core.load_tokenizer(tmp_path)
    assert back.get_vocab() == made.get_vocab()
    for text in (*TEXTS[:3], "A naïve\nzebra's hat", "the 1.5 % mat\tﬁts"):
        assert back(text)["input_ids"] == made(text)["input_ids"]


@pytest.mark.parametrize("name", sorted(NONE))
def test_families_without(name: str) -> None:
    with pytest.raises(InputError, match=f"like='{name}'"):
        train_tokenizer(TEXTS, name, vocab_size=100)


def test_what_cannot_be() -> None:
    with pytest.raises(InputError, match="kind='unigram': the vocabularies of bert are 'wordpiece'"):
        train_tokenizer(TEXTS, "bert", vocab_size=100, kind="unigram")
    with pytest.raises(InputError, match="vocab_size=100: special tokens and characters of t5 alone are 104"):
        train_tokenizer(TEXTS, "t5", vocab_size=100)
    with pytest.raises(InputError, match="vocab_size=10: the corpus has so many characters"):
        train_tokenizer(TEXTS, "bert", vocab_size=10)
    with pytest.raises(InputError, match="no words"):
        train_tokenizer([" "], "bert", vocab_size=100)


def test_options_are_kept(tmp_path: Path) -> None:
    made = train_tokenizer(TEXTS, "bert", vocab_size=90, do_lower_case=False)
    made.save_pretrained(tmp_path)
    back = tfx_core.load_tokenizer(tmp_path)
    assert "A" in back.tokenize("A cat")
    assert back("A cat")["input_ids"] == made("A cat")["input_ids"]


def test_the_command(tmp_path: Path) -> None:
    arguments = ["tokenizer", "train", "--like", "bert", "--vocab-size", "300", "--corpus", "pydoc:topics"]
    run = CliRunner().invoke(cli, [*arguments, "--option", "do_lower_case=false", "--out", str(tmp_path / "t")])
    assert run.exit_code == 0, run.output
    assert "the tokenizer of a bert, 300 tokens" in run.output
    assert tfx_core.load_tokenizer(tmp_path / "t").tokenize("A")[0] == "A"
    wrong = CliRunner().invoke(cli, [*arguments, "--option", "cased", "--out", str(tmp_path / "u")])
    assert wrong.exit_code == 2
    assert "is not NAME=VALUE" in wrong.output
