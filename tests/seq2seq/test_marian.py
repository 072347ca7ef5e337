"""What is Marian's own: tables of which the tensors say how many there are, sines, two vocabularies."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import tfx_core
from tests.models.tiny import perturbed, random_ids, tiny_config
from tfx_core.errors import CheckpointError, ConfigError, InputError
from tfx_core.model.model import Model

TINY = tiny_config("marian")
SOURCE, TARGET = random_ids("marian", 2, 7), random_ids("marian", 2, 5, seed=3)
APART: dict[str, Any] = {"share_encoder_decoder_embeddings": False}
FEWER: dict[str, Any] = {**APART, "decoder_vocab_size": 40}
SHARED, ENCODER, DECODER = (
    f"model.{name}.weight" for name in ("shared", "encoder.embed_tokens", "decoder.embed_tokens")
)
OUTPUT = "lm_head.weight"
_POSITIONS = "model.{}.embed_positions.weight"


def marian(head: str = "conditional-generation", **config: object) -> Model:
    """A tiny model with every parameter that learns perturbed."""
    model = tfx_core.new_model("marian", head=head, seed=1, **{**TINY, **config}).eval()
    return perturbed(model, 2, lambda name: 0.0 if "position" in name else 0.2)


def logits(model: Model) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(SOURCE, decoder_input_ids=TARGET % 40).logits
    return found


def rewritten(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]], **config: object) -> Path:
    """The folder with other tensors and keys."""
    file = folder / "model.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
    save_file(change(tensors), file)
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **config}), encoding="utf-8")
    return folder


def tables(model: Model) -> tuple[Tensor, Tensor, Tensor]:
    """Of the encoder, of the decoder, and the output layer."""
    names = ("backbone.encoder.embeddings.token", "backbone.decoder.embeddings.token", "head.predictions.decoder")
    one, two, three = (model.get_submodule(name).weight for name in names)
    return one, two, three


# -- contents decide ---------------------------------------------------------------------------------------------------

FLAGS = [{"share_encoder_decoder_embeddings": shared, "tie_word_embeddings": tied}
         for shared in (True, False) for tied in (True, False)]  # fmt: skip


@pytest.mark.parametrize("said", FLAGS, ids=str)
@pytest.mark.parametrize("stored", FLAGS, ids=str)
def test_whatever_the_config_says_of_its_tables_the_model_is_that_of_the_tensors(
    stored: dict[str, bool], said: dict[str, bool], tmp_path: Path
) -> None:
    model = marian(**stored)
    wanted = logits(model)
    model.save_pretrained(tmp_path / "one")
    read = tfx_core.load_model(rewritten(tmp_path / "one", dict, **said))
    assert torch.equal(logits(read), wanted)
    read.save_pretrained(tmp_path / "two")
    again = tfx_core.load_model(tmp_path / "two")
    assert torch.equal(logits(again), wanted)
    if said["share_encoder_decoder_embeddings"]:  # else two that are equal stay two
        config = json.loads((tmp_path / "two/config.json").read_text("utf-8"))
        assert {key: config[key] for key in stored} == stored


def test_two_tables_that_are_equal_are_one_where_the_config_says_so(tmp_path: Path) -> None:
    marian().save_pretrained(tmp_path)

    def both(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        table = tensors.pop(SHARED)
        return {**tensors, ENCODER: table, DECODER: table.clone(), OUTPUT: table.clone()}

    one, two, output = tables(tfx_core.load_model(rewritten(tmp_path, both)))
    assert one is two is output
    one, two, output = tables(tfx_core.load_model(rewritten(tmp_path, dict, **APART, tie_word_embeddings=False)))
    assert one is not two
    assert output is not two


def test_a_table_that_nothing_reads_is_not_looked_at(tmp_path: Path) -> None:
    model = marian(**APART)
    model.save_pretrained(tmp_path)
    folder = rewritten(tmp_path, lambda tensors: {**tensors, SHARED: torch.zeros(53, 24)})
    assert torch.equal(logits(tfx_core.load_model(folder)), logits(model))
    decoder = tfx_core.load_model(folder, head="causal-lm")
    assert torch.equal(decoder.get_input_embeddings().weight, tables(model)[1])


def test_a_decoder_alone_has_the_table_of_both_sides(tmp_path: Path) -> None:
    model = marian()
    model.save_pretrained(tmp_path)
    decoder = tfx_core.load_model(tmp_path, head="causal-lm")
    assert torch.equal(decoder.get_input_embeddings().weight, tables(model)[0])


def test_one_table_is_stored_once(tmp_path: Path) -> None:
    marian().save_pretrained(tmp_path)
    names = load_file(tmp_path / "model.safetensors").keys()
    assert names & {SHARED, ENCODER, DECODER, OUTPUT} == {SHARED}


# -- positions ---------------------------------------------------------------------------------------------------------


def test_sines_that_no_file_has_are_computed_and_nothing_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = marian()
    model.save_pretrained(tmp_path)
    without = {_POSITIONS.format(side) for side in ("encoder", "decoder")}
    read = tfx_core.load_model(
        rewritten(tmp_path, lambda tensors: {name: x for name, x in tensors.items() if name not in without})
    )
    assert torch.equal(logits(read), logits(model))
    assert not caplog.records
    assert not read.get_parameter("backbone.encoder.embeddings.position.weight").requires_grad


def test_another_table_that_a_file_has_is_read(tmp_path: Path) -> None:
    marian().save_pretrained(tmp_path)
    name = _POSITIONS.format("decoder")
    read = tfx_core.load_model(rewritten(tmp_path, lambda tensors: {**tensors, name: torch.ones(40, 24)}))
    assert bool((read.get_parameter("backbone.decoder.embeddings.position.weight") == 1).all())


# -- two vocabularies --------------------------------------------------------------------------------------------------


def test_a_target_with_fewer_tokens_is_the_first_rows_of_one_with_more() -> None:
    model = marian(**APART)
    wanted = logits(model)
    assert model.resize_decoder_token_embeddings(40) is model.backbone.decoder.embeddings.token
    assert (model.config.vocab_size, model.config.decoder_vocab_size) == (53, 40)
    torch.testing.assert_close(logits(model), wanted[..., :40])
    source = model.resize_token_embeddings(57)
    assert (model.config.vocab_size, model.config.decoder_vocab_size) == (57, 40)
    assert source is model.backbone.encoder.embeddings.token
    torch.testing.assert_close(logits(model), wanted[..., :40])


def test_of_one_vocabulary_both_sides_are_resized(tmp_path: Path) -> None:
    model = marian()
    with pytest.raises(InputError, match="both sides have the same tokens; use resize_token_embeddings"):
        model.resize_decoder_token_embeddings(40)
    model.resize_token_embeddings(57)
    assert model.config.decoder_vocab_size == 57
    one, two, output = tables(model)
    assert one is two is output
    model.save_pretrained(tmp_path)
    assert torch.equal(logits(tfx_core.load_model(tmp_path)), logits(model))


@pytest.mark.parametrize("tied", [True, False])
def test_saved_and_loaded_each_side_has_its_tokens(tied: bool, tmp_path: Path) -> None:
    model = marian(**FEWER, tie_word_embeddings=tied)
    model.save_pretrained(tmp_path / "both")
    assert torch.equal(logits(tfx_core.load_model(tmp_path / "both")), logits(model))
    decoder = tfx_core.load_model(tmp_path / "both", head="causal-lm")
    assert (decoder.config.vocab_size, decoder(TARGET % 40).logits.shape[-1]) == (40, 40)
    decoder.save_pretrained(tmp_path / "decoder")
    again = tfx_core.load_model(tmp_path / "decoder")
    assert torch.equal(again(TARGET % 40).logits, decoder(TARGET % 40).logits)


def test_ids_are_those_of_their_side() -> None:
    model = marian(**FEWER)
    model(SOURCE.clamp(max=52), decoder_input_ids=TARGET % 40)
    with pytest.raises(InputError, match=r"decoder_input_ids.*: id 45 is not one of this model's, 0 to 39"):
        model(SOURCE, decoder_input_ids=torch.full_like(TARGET, 45))
    with pytest.raises(InputError, match="labels"):
        model(SOURCE, labels=torch.full_like(TARGET, 45))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"forced_bos_token_id": 45}, "forced_bos_token_id=45: must be a token that .*, below decoder_vocab_size=40"),
        ({"forced_eos_token_id": [2, 40]}, r"forced_eos_token_id=.2, 40.: must be a token .*decoder_vocab_size=40"),
        ({"encoder_no_repeat_ngram_size": 2}, "encoder_no_repeat_ngram_size=2: source and target have vocabularies"),
        ({"encoder_repetition_penalty": 1.3}, "encoder_repetition_penalty=1.3: source and target have vocabularies"),
        ({"bad_words_ids": [[45]]}, "bad_words_ids: token 45 is outside the vocabulary of 40"),
        ({"suppress_tokens": [45]}, "suppress_tokens: token 45 is outside the vocabulary of 40"),
    ],
)
def test_what_is_written_is_of_the_targets_vocabulary(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        marian(**FEWER).generate(SOURCE, max_new_tokens=3, **options)


def test_a_stored_token_outside_the_vocabulary_is_told_by_key_value_and_size(tmp_path: Path) -> None:
    marian().save_pretrained(tmp_path)
    (tmp_path / "generation_config.json").write_text('{"forced_bos_token_id": 250001}', encoding="utf-8")
    with pytest.raises(InputError, match=r"forced_bos_token_id=250001: must be .*, below vocab_size=53"):
        tfx_core.load_model(tmp_path).generate(SOURCE, max_new_tokens=3)


def test_guesses_are_copied_from_what_is_written_alone() -> None:
    model = marian(**FEWER)
    plain = model.generate(SOURCE, max_new_tokens=9)
    assert torch.equal(model.generate(SOURCE, max_new_tokens=9, prompt_lookup_num_tokens=3), plain)


def test_an_assistant_must_have_both_vocabularies() -> None:
    with pytest.raises(InputError, match="vocabulary of 53 tokens: the model's has 53 and 40"):
        marian(**FEWER).generate(SOURCE, max_new_tokens=3, assistant_model=marian())


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_padding_that_the_target_lacks_is_refused() -> None:
    with pytest.raises(ConfigError, match="pad_token_id=52: must be an id below decoder_vocab_size=40"):
        marian(**FEWER, pad_token_id=52)


def test_a_table_of_another_size_is_told_with_its_key(tmp_path: Path) -> None:
    marian(**FEWER).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"misshapen model\.decoder\.embed_tokens\.weight: is \(40, 24\)"):
        tfx_core.load_model(rewritten(tmp_path, dict, share_encoder_decoder_embeddings=True))
