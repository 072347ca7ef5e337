"""What is T5's own: half precision without clamps, buckets, initialisation, the source that the decoder starts from."""

from pathlib import Path

import pytest
import torch

import tfx_core
from tests.models.tiny import perturbed, random_ids, tiny_config
from tfx_core.errors import ConfigError, InputError
from tfx_core.model.model import Model
from tfx_seq2seq.t5 import T5Config

TINY = tiny_config("t5")
SOURCE, TARGET = random_ids("t5", 2, 7), random_ids("t5", 2, 5, seed=3)


def t5(head: str = "conditional-generation", **config: object) -> Model:
    """A tiny model with every parameter perturbed."""
    made = tfx_core.new_model("t5", head=head, seed=1, **{**TINY, **config}).eval()
    return perturbed(made, 2, 0.1)


@pytest.mark.parametrize("feed_forward", ["relu", "gated-gelu"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_needs_no_clamp_where_the_residual_sum_overflows(feed_forward: str, dtype: torch.dtype) -> None:
    model = t5(feed_forward_proj=feed_forward)
    with torch.no_grad():
        for side in (model.backbone.encoder, model.backbone.decoder):
            for layer in side.stack.layers:
                layer.feed_forward.sublayer.down.weight.mul_(3e4)  # sums of 10^6, where float16 ends at 65504
        wanted = model(SOURCE, decoder_input_ids=TARGET, output_hidden_states=True)
        assert max(float(state.abs().max()) for state in wanted.decoder_hidden_states) > 65504
        narrow = model.to(dtype)(SOURCE, decoder_input_ids=TARGET, labels=TARGET)
    assert narrow.logits.dtype == dtype
    assert narrow.logits.isfinite().all()
    assert narrow.loss.isfinite()
    error = (narrow.logits.float() - wanted.logits).abs().max() / wanted.logits.abs().max()
    assert error < (0.01 if dtype == torch.float16 else 0.05)


def test_gradients_in_half_precision_are_finite() -> None:
    model = t5(feed_forward_proj="gated-gelu").to(torch.bfloat16).train()
    model(SOURCE, labels=TARGET).loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_near_distances_have_buckets_of_their_own_and_far_ones_share() -> None:
    encoder, decoder = (side.position_bias for side in (t5().backbone.encoder, t5().backbone.decoder))
    after, before = [7] * 8 + [6] * 3 + [5], [1] + [2] * 3 + [3] * 8
    assert encoder.bucket(torch.arange(-12, 13)).tolist() == [*after, 0, *before]
    assert decoder.bucket(torch.tensor([-3, 0, 1, 2, 3, 4, 6, 9, 50])).tolist() == [0, 0, 1, 2, 3, 4, 5, 7, 7]


def test_labels_are_shifted_right_behind_the_start_token() -> None:
    model = t5()
    labels = TARGET.clone()
    labels[0, 3:] = -100
    shifted = torch.cat((torch.zeros(2, 1, dtype=torch.long), labels[:, :-1].clamp(min=0)), dim=1)
    learned, given = model(SOURCE, labels=labels), model(SOURCE, decoder_input_ids=shifted, labels=labels)
    torch.testing.assert_close(learned.loss, given.loss)


@pytest.mark.parametrize(
    ("inputs", "error", "said"),
    [
        ({}, InputError, "decoder_input_ids: the decoder has no input"),
        ({"labels": TARGET, "decoder_input_ids": TARGET[:, :3]}, InputError, r"labels of shape \(2, 5\).*\(2, 3\)"),
        ({"encoder_outputs": 3, "decoder_input_ids": TARGET}, InputError, "encoder_outputs of type int"),
    ],
)
def test_inputs_that_contradict_each_other_are_errors(
    inputs: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        t5()(SOURCE, **inputs)


def test_a_missing_start_token_is_named() -> None:
    with pytest.raises(
        ConfigError, match="decoder_start_token_id=None: what the decoder reads is shifted right with it"
    ):
        t5(decoder_start_token_id=None)(SOURCE, labels=TARGET)
    with pytest.raises(InputError, match="decoder_start_token_id"):
        t5(decoder_start_token_id=None).generate(SOURCE)


def test_encoder_outputs_take_the_encoders_place() -> None:
    model = t5()
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    with torch.no_grad():
        whole = model(SOURCE, attention_mask=mask, decoder_input_ids=TARGET)
        state = whole.encoder_last_hidden_state
        for given in (model.backbone.encoder(SOURCE, mask), state, (state,)):
            again = model(encoder_outputs=given, attention_mask=mask, decoder_input_ids=TARGET)
            assert torch.equal(again.logits, whole.logits)
        texts = model.generate(SOURCE, attention_mask=mask, num_beams=3, max_new_tokens=8)
        from_states = model.generate(encoder_outputs=state, attention_mask=mask, num_beams=3, max_new_tokens=8)
    assert torch.equal(texts, from_states)


def test_the_source_is_read_once_and_never_repeated_for_beams() -> None:
    model, calls = t5(), []
    handle = model.backbone.encoder.register_forward_hook(lambda module, given, output: calls.append("encoder"))
    seen: list[int] = []
    kv = model.backbone.decoder.stack.layers[0].cross_attention.sublayer.projections.keys_values
    other = kv.register_forward_hook(lambda module, given, output: seen.append(len(given[0])))
    model.generate(SOURCE, num_beams=4, max_new_tokens=6)
    handle.remove()
    other.remove()
    assert calls == ["encoder"]
    assert seen == [2]  # once, for two sources, not for eight beams


def test_cached_decoding_gives_what_the_whole_target_gives() -> None:
    model = t5()
    with torch.no_grad():
        whole = model(SOURCE, decoder_input_ids=TARGET).logits
        first = model(SOURCE, decoder_input_ids=TARGET[:, :2], use_cache=True)
        cache, source = first.past_key_values, first.encoder_last_hidden_state
        steps = [
            model(
                encoder_outputs=source,
                decoder_input_ids=TARGET[:, place, None],
                past_key_values=cache,
                use_cache=True,
            ).logits
            for place in (2, 3, 4)
        ]
    torch.testing.assert_close(torch.cat(steps, 1), whole[:, 2:])


def test_new_weights_have_the_papers_deviations() -> None:
    model = tfx_core.new_model("t5", seed=0, vocab_size=400, d_model=128, d_kv=16, d_ff=256, num_layers=1, num_heads=8)
    layer = model.backbone.encoder.stack.layers[0]
    query, key, value = layer.self_attention.sublayer.projections.qkv.weight.chunk(3)
    for tensor, deviation in (
        (model.backbone.encoder.embeddings.token.weight, 1.0),
        (query, (128 * 16) ** -0.5),
        (key, 128**-0.5),
        (value, 128**-0.5),
        (layer.self_attention.sublayer.out.weight, 128**-0.5),
        (layer.feed_forward.sublayer.up.weight, 128**-0.5),
        (layer.feed_forward.sublayer.down.weight, 256**-0.5),
    ):
        assert 0.9 < float(tensor.std()) / deviation < 1.1


def test_two_different_output_layers_are_never_tied(tmp_path: Path) -> None:
    untied = t5(tie_word_embeddings=False)
    untied.save_pretrained(tmp_path)
    again = tfx_core.load_model(tmp_path)
    head, table = again.head.predictions.decoder.weight, again.backbone.encoder.embeddings.token.weight
    assert not torch.equal(head, table)
    assert torch.equal(head, untied.head.predictions.decoder.weight)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("feed_forward_proj", "gated-gelo", "feed_forward_proj='gated-gelo': must be one of gelu"),
        ("relative_attention_num_buckets", 7, "relative_attention_num_buckets=7: must be divisible by 4"),
        ("num_heads", 0, "num_heads=0: must be an integer at least 1"),
    ],
)
def test_a_bad_config_is_named(key: str, value: object, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        t5(**{key: value})


@pytest.mark.parametrize(
    ("keys", "tied", "scaled"),
    [
        ({}, True, True),
        ({"tie_word_embeddings": False}, False, False),  # version 1.1, written by transformers 4
        ({"tie_word_embeddings": True, "scale_decoder_outputs": False}, True, False),  # the same, by transformers 5
        ({"tie_word_embeddings": True, "scale_decoder_outputs": True}, True, True),
        ({"tie_word_embeddings": False, "scale_decoder_outputs": True}, False, True),
    ],
)
def test_scale_and_tie_of_the_output_layer_are_two_facts(
    keys: dict[str, bool], tied: bool, scaled: bool, tmp_path: Path
) -> None:
    config = T5Config.from_dict({**TINY, **keys})
    assert (config.tie_word_embeddings, config.scale_decoder_outputs) == (tied, scaled)
    model = t5(**keys)
    layer = model.get_parameter("head.predictions.decoder.weight")
    assert (layer is model.get_parameter("backbone.encoder.embeddings.token.weight")) is tied
    with torch.no_grad():
        found = model(SOURCE, decoder_input_ids=TARGET)
        state = found.last_hidden_state * (TINY["d_model"] ** -0.5 if scaled else 1.0)
    torch.testing.assert_close(found.logits, state @ layer.detach().T)
    model.save_pretrained(tmp_path)
    again = tfx_core.load_model(tmp_path, tie_word_embeddings=not tied)  # of a new model alone
    assert again.config.scale_decoder_outputs is scaled
    torch.testing.assert_close(again(SOURCE, decoder_input_ids=TARGET).logits, found.logits)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"feed_forward_proj": "gated-gelu", "dense_act_fn": "relu"}, "dense_act_fn='relu': must be 'gelu_new' for"),
        ({"feed_forward_proj": "gated-gelu", "is_gated_act": False}, "is_gated_act=False: must be True for"),
    ],
)
def test_what_a_file_says_twice_of_the_feed_forward_layer_must_agree(keys: dict[str, object], said: str) -> None:
    assert T5Config.from_dict({"feed_forward_proj": "gated-gelu", "dense_act_fn": "gelu_new", "is_gated_act": True})
    with pytest.raises(ConfigError, match=said):
        T5Config.from_dict(keys)


def test_a_part_that_is_made_afresh_has_a_measure(tmp_path: Path) -> None:
    t5("encoder-only").save_pretrained(tmp_path)
    assert tfx_core.load_model(tmp_path, head="conditional-generation").head_name == "conditional-generation"
    with pytest.raises(ConfigError, match=r"config\.json: asks for more than 10\d\d tensors"):
        tfx_core.load_model(tmp_path, head="conditional-generation", num_decoder_layers=10**9)
