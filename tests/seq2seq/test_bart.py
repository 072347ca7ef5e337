"""What is BART's own: offset positions, the logits' bias, the classified end token, the decoder alone, its defaults."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.models.tiny import perturbed, random_ids, tiny_config
from tfx_core.errors import CheckpointError, ConfigError, InputError
from tfx_core.model.model import Model

TINY = tiny_config("bart")
SOURCE, TARGET = random_ids("bart", 2, 7), random_ids("bart", 2, 5, seed=3)
END, PAD, START = 2, 1, 2


def bart(head: str = "conditional-generation", **config: object) -> Model:
    """A tiny model with every parameter perturbed."""
    return perturbed(tfx_core.new_model("bart", head=head, seed=1, **{**TINY, **config}).eval(), 2, 0.2)


def left_padded(ids: Tensor, by: int) -> dict[str, Tensor]:
    pads = torch.full((len(ids), by), PAD)
    ids = torch.cat((pads, ids), dim=1)
    return {"input_ids": ids, "attention_mask": (ids != PAD).long()}


# -- positions and bias ------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_positions_begin_behind_the_tables_two_rows_of_padding() -> None:
    model = bart()
    wanted = model(SOURCE, decoder_input_ids=TARGET).logits
    for side in (model.backbone.encoder, model.backbone.decoder):
        table = side.embeddings.position.weight
        assert len(table) == TINY["max_position_embeddings"] + 2
        table[:2] = torch.nan
        table[2 + SOURCE.shape[1] :] = torch.nan
    torch.testing.assert_close(model(SOURCE, decoder_input_ids=TARGET).logits, wanted)


def test_a_source_may_be_as_long_as_there_are_positions_and_no_longer() -> None:
    model = bart()
    longest = TINY["max_position_embeddings"]
    model(random_ids("bart", 1, longest), decoder_input_ids=random_ids("bart", 1, longest))
    with pytest.raises(InputError, match="text of 41 tokens: this model has positions for 40"):
        model(random_ids("bart", 1, longest + 1), decoder_input_ids=TARGET[:1])


@torch.no_grad()
def test_the_bias_of_the_logits_is_added_stored_and_never_trained(tmp_path: Path) -> None:
    model = bart()
    bias = model.head.predictions.logits_bias
    states = model(SOURCE, decoder_input_ids=TARGET).last_hidden_state
    expected = states @ model.backbone.decoder.embeddings.token.weight.T + bias
    torch.testing.assert_close(model(SOURCE, decoder_input_ids=TARGET).logits, expected)
    assert not bias.requires_grad
    model.save_pretrained(tmp_path)
    assert torch.equal(tfx_core.load_model(tmp_path).head.predictions.logits_bias, bias)


# -- what the decoder begins with --------------------------------------------------------------------------------------


@torch.no_grad()
def test_the_decoder_reads_the_source_shifted_right_where_it_is_given_nothing() -> None:
    model = bart("backbone")
    shifted = torch.cat((torch.full((2, 1), START), SOURCE[:, :-1]), dim=1)
    assert torch.equal(model(SOURCE).last_hidden_state, model(SOURCE, decoder_input_ids=shifted).last_hidden_state)


@torch.no_grad()
@pytest.mark.parametrize("head", ["backbone", "sequence-classification", "question-answering"])
def test_a_source_padded_on_the_left_starts_the_decoder_at_its_first_token(head: str) -> None:
    model = bart(head)
    alone, padded = model(SOURCE), model(**left_padded(SOURCE, 3))
    for name in ("last_hidden_state", "start_logits"):
        if alone.get(name) is not None:
            torch.testing.assert_close(padded[name][:, 3:], alone[name], rtol=1e-4, atol=1e-5)
    if alone.get("logits") is not None:
        torch.testing.assert_close(padded.logits, alone.logits, rtol=1e-4, atol=1e-5)


def test_labels_are_shifted_right_behind_the_start_token() -> None:
    model = bart()
    labels = TARGET.clone()
    labels[0, 3:] = -100
    shifted = torch.cat((torch.full((2, 1), START), labels[:, :-1]), dim=1)
    given = model(SOURCE, decoder_input_ids=shifted.masked_fill(shifted == -100, PAD), labels=labels)
    torch.testing.assert_close(model(SOURCE, labels=labels).loss, given.loss)


@pytest.mark.parametrize("key", ["decoder_start_token_id", "pad_token_id"])
def test_a_start_without_its_tokens_names_the_missing_one(key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key}=None: what the decoder reads is shifted right with it"):
        bart("backbone", **{key: None})(SOURCE)
    with pytest.raises(ConfigError, match=f"{key}=None: what the decoder reads is shifted right with it"):
        bart(**{key: None})(SOURCE, labels=TARGET)


# -- classification ----------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_the_last_end_token_is_classified() -> None:
    model = bart("sequence-classification")
    ids = SOURCE.clone()
    ids[0, 3] = END  # a text of two sentences
    output = model(ids)
    torch.testing.assert_close(output.logits, model.head.classifier(output.last_hidden_state[:, -1]))


@torch.no_grad()
def test_padding_with_the_end_token_is_not_classified() -> None:
    model = bart("sequence-classification")
    ids = torch.cat((SOURCE, torch.full((2, 3), END)), dim=1)
    mask = torch.ones_like(ids)
    mask[:, SOURCE.shape[1] :] = 0
    torch.testing.assert_close(model(ids, attention_mask=mask).logits, model(SOURCE).logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"input_ids": torch.tensor([[5, 6, END], [7, 8, 9]])}, "input_ids: row 1 has no end token 2"),
        (
            {"input_ids": torch.tensor([[5, 6, END]]), "attention_mask": torch.tensor([[1, 1, 0]])},
            "input_ids: row 0 has no end token 2",
        ),
        (
            {"input_ids": SOURCE, "decoder_input_ids": TARGET},
            r"input_ids of shape \(2, 7\): .* among the decoder's, which are \(2, 5\)",
        ),
        (
            {"inputs_embeds": torch.zeros(1, 3, 24), "decoder_input_ids": TARGET[:1]},
            "input_ids not given: the text's end token is looked for in them",
        ),
    ],
)
def test_a_text_whose_end_cannot_be_found_is_an_error(inputs: dict[str, Tensor], said: str) -> None:
    with pytest.raises(InputError, match=said):
        bart("sequence-classification")(**inputs)


# -- the decoder alone -------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_the_decoder_of_a_whole_checkpoint_stands_alone(tmp_path: Path) -> None:
    whole = bart()
    whole.head.predictions.logits_bias.zero_()  # the decoder alone has none
    whole.save_pretrained(tmp_path / "whole")
    alone = tfx_core.load_model(tmp_path / "whole", head="causal-lm")
    assert not any(name.startswith("backbone.encoder") for name, _ in alone.named_parameters())
    encoded = whole.backbone.encoder(SOURCE).last_hidden_state
    logits = alone(TARGET, encoder_hidden_states=encoded).logits
    torch.testing.assert_close(logits, whole(SOURCE, decoder_input_ids=TARGET).logits)
    without = alone(TARGET).logits
    assert not torch.allclose(without, logits)
    alone.save_pretrained(tmp_path / "alone")
    again = tfx_core.load_model(tmp_path / "alone")
    assert again.head_name == "causal-lm"
    assert torch.equal(again(TARGET).logits, without)


def test_the_decoder_alone_is_one_whatever_else_the_user_says() -> None:
    for said in ({}, {"is_decoder": True}, {"add_cross_attention": True}):
        config = bart("causal-lm", **said).config
        assert (config.is_decoder, config.is_encoder_decoder) == (True, False)
    assert bart("causal-lm", is_encoder_decoder=True).config.is_encoder_decoder


def test_the_decoder_alone_continues_a_prompt_as_its_logits_say() -> None:
    model = bart("causal-lm", eos_token_id=None)
    prompt = TARGET[:, :3]
    ids = prompt
    for _ in range(6):
        ids = torch.cat((ids, model(ids).logits[:, -1].argmax(-1, keepdim=True)), dim=1)
    assert torch.equal(model.generate(prompt, max_new_tokens=6, pad_token_id=PAD), ids)


# -- inputs that do not fit --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"decoder_input_ids": TARGET[:1]}, "decoder_input_ids has 1 rows, the source 2"),
        (
            {"encoder_outputs": torch.zeros(2, 4, 24), "attention_mask": torch.ones(2, 7), "decoder_input_ids": TARGET},
            r"attention_mask of shape \(2, 7\): the encoder's states are \(2, 4\)",
        ),
        ({"labels": TARGET, "decoder_input_ids": TARGET[:, :3]}, r"labels of shape \(2, 5\).*\(2, 3\)"),
        ({"encoder_outputs": {"state": 3}, "decoder_input_ids": TARGET}, "encoder_outputs of type dict"),
    ],
)
def test_source_and_target_that_do_not_fit_are_an_error(inputs: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        bart()(SOURCE, **inputs)


# -- cached decoding and generation defaults ---------------------------------------------------------------------------


@torch.no_grad()
def test_cached_decoding_gives_what_the_whole_target_gives() -> None:
    model = bart()
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    whole = model(SOURCE, attention_mask=mask, decoder_input_ids=TARGET).logits
    first = model(SOURCE, attention_mask=mask, decoder_input_ids=TARGET[:, :2], use_cache=True)
    cache, states = first.past_key_values, first.encoder_last_hidden_state
    steps = [
        model(
            encoder_outputs=states,
            attention_mask=mask,
            decoder_input_ids=TARGET[:, place, None],
            past_key_values=cache,
            use_cache=True,
        ).logits
        for place in (2, 3, 4)
    ]
    torch.testing.assert_close(torch.cat(steps, 1), whole[:, 2:], rtol=1e-4, atol=1e-5)


def stored(folder: Path, config: dict[str, Any], generation: dict[str, Any] | None) -> Model:
    """A folder whose two files say these things beside what every one says, loaded."""
    bart().save_pretrained(folder)
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **config}))
    if generation is not None:
        tokens = {"decoder_start_token_id": START, "eos_token_id": END, "pad_token_id": PAD, "bos_token_id": 0}
        (folder / "generation_config.json").write_text(json.dumps({**tokens, **generation}))
    return tfx_core.load_model(folder)


LEGACY = {
    "num_beams": 3,
    "length_penalty": 2.0,
    "max_length": 12,
    "min_length": 5,
    "no_repeat_ngram_size": 2,
    "early_stopping": True,
    "forced_bos_token_id": 0,
    "forced_eos_token_id": END,
}


@pytest.mark.parametrize("place", ["config.json", "generation_config.json"])
def test_the_checkpoints_own_defaults_are_what_a_bare_call_uses(tmp_path: Path, place: str) -> None:
    legacy, own = (LEGACY, None) if place == "config.json" else ({"num_beams": 5, "max_length": 9}, LEGACY)
    model = stored(tmp_path, legacy, own)
    bare = model.generate(SOURCE)
    plain = tfx_core.load_model(tmp_path)
    plain.generation_config = {}
    explicit = plain.generate(SOURCE, decoder_start_token_id=START, eos_token_id=END, pad_token_id=PAD, **LEGACY)
    assert torch.equal(bare, explicit)
    assert bare.shape[1] <= LEGACY["max_length"]
    assert bare[:, 0].tolist() == [START] * 2
    assert bare[:, 1].tolist() == [LEGACY["forced_bos_token_id"]] * 2
    assert all(row[5:].tolist().count(END) for row in bare)
    assert not torch.equal(bare, model.generate(SOURCE, num_beams=1, forced_bos_token_id=9)[:, : bare.shape[1]])


def test_defaults_that_are_replaced_count_from_then_on() -> None:
    model = bart(eos_token_id=None)
    for count in (2, 5):
        model.generation_config = {"max_new_tokens": count, "decoder_start_token_id": START, "pad_token_id": PAD}
        assert model.generate(SOURCE).shape[1] == 1 + count


def test_a_file_that_forces_the_start_token_without_naming_it_is_understood(tmp_path: Path) -> None:
    model = stored(tmp_path, {"force_bos_token_to_be_generated": True, "bos_token_id": 7}, None)
    assert model.generation_options.forced_bos_token_id == 7
    assert model.generate(SOURCE, max_new_tokens=3)[:, 1].tolist() == [7, 7]


def test_a_text_that_reaches_its_greatest_length_ends_with_the_forced_token() -> None:
    model = bart(eos_token_id=None)
    ids = model.generate(SOURCE, max_new_tokens=6, num_beams=2, forced_eos_token_id=9, pad_token_id=PAD)
    assert ids[:, -1].tolist() == [9, 9]
    assert ids.shape == (2, 7)


def test_the_source_is_read_once_and_never_repeated_for_beams() -> None:
    model, calls, seen = bart(), [], []
    kv = model.backbone.decoder.stack.layers[0].cross_attention.sublayer.projections.keys_values
    hooks = (
        model.backbone.encoder.register_forward_hook(
            lambda module, given, output: calls.append(len(output.last_hidden_state))
        ),
        kv.register_forward_hook(lambda module, given, output: seen.append(len(given[0]))),
    )
    model.generate(SOURCE, num_beams=4, max_new_tokens=6)
    for hook in hooks:
        hook.remove()
    assert calls == seen == [2]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("encoder_attention_heads", 5, "encoder_attention_heads=5: must be a divisor of d_model=24"),
        ("decoder_attention_heads", 7, "decoder_attention_heads=7: must be a divisor of d_model=24"),
        ("activation_function", "gelo", "activation_function='gelo': must be one of"),
        ("pad_token_id", 53, "pad_token_id=53: must be an id below vocab_size=53"),
        ("dropout", 1.5, "dropout=1.5"),
    ],
)
def test_a_bad_config_is_named(key: str, value: object, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        bart(**{key: value})


def test_a_part_that_is_made_afresh_has_a_size_that_fits_the_checkpoint(tmp_path: Path) -> None:
    tfx_core.new_model("bart", head="causal-lm", seed=1, **TINY).save_pretrained(tmp_path)
    assert tfx_core.load_model(tmp_path, head="conditional-generation").config.encoder_ffn_dim == 40
    with pytest.raises(
        CheckpointError, match=r"has \d+ bytes, and its config.json .* asks for \d{11} more, for .*encoder"
    ):
        tfx_core.load_model(tmp_path, head="conditional-generation", encoder_ffn_dim=10**8)
