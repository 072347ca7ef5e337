"""What is CTRL's own: texts without a longest length, words with their line's end, control codes."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

import tfx_core
from tests.core.text.folders import write
from tests.models.tiny import perturbed, random_ids, tiny_config
from tfx_core.errors import InputError, TextError
from tfx_core.model.model import Model
from tfx_core.tasks import Task
from tfx_core.text import Tokenizer
from tfx_decoders.ctrl.text import CONTROL_CODES
from tfx_testing.vocabularies import continued_bpe

CODES = ("Links", "Books", "Wikipedia")


def model(head: str = "causal-lm", **changes: object) -> Model:
    made = tfx_core.new_model("ctrl", head=head, seed=1, **{**tiny_config("ctrl"), **changes}).eval()
    return perturbed(made, 2, 0.2)


def text_folder(folder: Path, codes: tuple[str, ...] = CODES) -> Path:
    """The files of a tokenizer whose vocabulary has these codes, each one token by its merges."""
    files: Any = continued_bpe(("<unk>",))
    vocabulary, merges = files["vocab.json"], files["merges.txt"]
    for code in codes:
        vocabulary[code] = len(vocabulary)
        for end in range(1, len(code)):
            last = "</w>" if end == len(code) - 1 else ""
            merges.append(f"{code[:end]} {code[end]}{last}")
    return write(folder, {**files, "config.json": {"model_type": "ctrl"}})


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return tfx_core.load_tokenizer(text_folder(tmp_path / "text"))


@pytest.fixture
def generator(tmp_path: Path, tokenizer: Tokenizer) -> Task[Any, Any, Any]:
    folder = text_folder(tmp_path / "model")
    model(vocab_size=len(tokenizer), pad_token_id=0).save_pretrained(folder)
    task: Task[Any, Any, Any] = tfx_core.pipeline("text-generation", model=folder, max_new_tokens=3, seed=1)
    return task


# the model


@torch.no_grad()
def test_a_text_longer_than_those_of_the_training_is_read_and_written() -> None:
    made, ids = model(), random_ids("ctrl", 2, 100)
    assert made.max_positions is None
    whole = made(ids).logits
    torch.testing.assert_close(whole[:, :30], made(ids[:, :30]).logits, rtol=1e-4, atol=1e-5)
    written = made.generate(ids[:, :60], max_new_tokens=50, eos_token_id=None)
    assert written[:, 60].tolist() == whole[:, 59].argmax(-1).tolist()
    assert written.shape == (2, 110)


def test_sinusoids_are_in_no_checkpoint_and_exact_in_any_type() -> None:
    made = model("backbone")
    assert not any("position" in name for name in made.state_dict())
    positions = torch.tensor([[0, 1, 39, 1999]])
    made_of = made.backbone.embeddings.position(positions)
    angles = positions[..., None] / 10000 ** (torch.arange(0, 24, 2, dtype=torch.float64) / 24)
    torch.testing.assert_close(
        made_of.double(), torch.cat((angles.sin(), angles.cos()), dim=-1), rtol=0, atol=2e-4
    )  # of float32: the angle 1999 has 13 bits behind the point


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@torch.no_grad()
def test_a_model_of_any_type_stays_in_it(dtype: torch.dtype) -> None:
    """In half precision the reference's own fails: its sinusoids stay float32 and make states of it."""
    made, ids = model(), random_ids("ctrl", 2, 9)
    logits = made(ids).logits
    other = made.to(dtype)(ids)
    assert (other.logits.dtype, other.last_hidden_state.dtype) == (dtype, dtype)
    torch.testing.assert_close(other.logits.float(), logits, rtol=0.1, atol=0.2)


# text


def test_a_line_s_end_belongs_to_the_word_before_it(tokenizer: Tokenizer) -> None:
    batch = tokenizer("ab\n c\nab\n\nabc é", return_offsets_mapping=True)
    assert batch.tokens() == ["ab@@", "\n", "c@@", "\n", "ab@@", "\n", "abc", "<unk>"]
    assert batch.offset_mapping == [(0, 2), (2, 3), (4, 5), (5, 6), (6, 8), (8, 9), (10, 13), (14, 15)]
    assert tokenizer.tokenize("\n ab") == ["ab"]
    assert sorted(batch) == ["attention_mask", "input_ids", "offset_mapping"]
    assert tokenizer("ab", "c", return_token_type_ids=True).token_type_ids == [0, 1]


def test_pieces_become_words_and_lines_also_where_a_text_breaks_off(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode(tokenizer("Links ab\n cab, ab\n").input_ids) == "Links ab\n cab, ab"
    ids = tokenizer.convert_tokens_to_ids(["ab", "ab@@"])
    assert tokenizer.decode(ids) == "ab ab"
    assert tokenizer.convert_tokens_to_string(["ab@@", "c", "<unk>"]) == "abc <unk>"


def test_it_is_saved_as_the_files_that_it_came_from(tokenizer: Tokenizer, tmp_path: Path) -> None:
    written = {Path(path).name for path in tokenizer.save_pretrained(tmp_path / "saved")}
    assert written == {"merges.txt", "special_tokens_map.json", "tokenizer_config.json", "vocab.json"}
    again = tfx_core.load_tokenizer(tmp_path / "saved")
    assert again("Links ab\n cab").input_ids == tokenizer("Links ab\n cab").input_ids
    assert again.control_codes == tokenizer.control_codes


def test_files_of_two_models_are_refused(tmp_path: Path) -> None:
    folder = write(text_folder(tmp_path), {"merges.txt": ["#version: 0.2", "é è</w>"]})
    with pytest.raises(TextError, match=r"merges\.txt: none of its 1 merges joins pieces of vocab\.json"):
        tfx_core.load_tokenizer(folder)


# control codes


def test_control_codes_are_those_of_the_vocabulary(tokenizer: Tokenizer, tmp_path: Path) -> None:
    assert len(CONTROL_CODES) == len({*CONTROL_CODES}) == 55
    assert tokenizer.control_codes == {code: tokenizer(code).input_ids[0] for code in ("Wikipedia", "Books", "Links")}
    assert tfx_core.load_tokenizer(text_folder(tmp_path / "none", ())).control_codes == {}


def test_a_prompt_without_a_control_code_is_told_once(generator: Any, tokenizer: Tokenizer) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        generator(["Links ab", "Books"])
    said = (
        r"^a prompt begins with 'links', which is no control code; each text that this model learned from began with "
        r"one: did you mean 'Links'\? tokenizer\.control_codes has all 3$"
    )
    with pytest.warns(UserWarning, match=said) as told:
        generator(["Links ab", "links ab", "abc"], batch_size=1)
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        generator("link")
    inputs = tokenizer(["links ab"], return_tensors="pt")
    with pytest.warns(UserWarning, match=said):  # of another tokenizer nothing was told yet
        generator.model.generate(**inputs, max_new_tokens=2, tokenizer=tokenizer, pad_token_id=0)


def test_of_ids_alone_nothing_is_told(generator: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        generator.model.generate(torch.tensor([[3, 4]]), max_new_tokens=2, pad_token_id=0)


@pytest.mark.parametrize("prompt", ["", " \n "])
def test_an_empty_prompt_is_refused_with_what_may_begin_one(generator: Any, prompt: str) -> None:
    with pytest.raises(InputError, match=r"an empty prompt, .* give a control code, one of tokenizer\.control_codes"):
        generator(prompt)
    with pytest.raises(InputError, match=r"input_ids: give a prompt; this model has no bos_token_id"):
        generator.model.generate()


def test_a_prompt_that_is_cut_keeps_its_control_code(generator: Any) -> None:
    long = "Links " + "abc " * 12 + "a b"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cut = generator(long, truncation=True, max_length=9, max_new_tokens=None, top_k=1, return_full_text=False)
        whole = generator("Links " + "abc " * 5 + "a b", max_new_tokens=1, top_k=1, return_full_text=False)
    assert cut == whole
