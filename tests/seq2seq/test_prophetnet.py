"""What is ProphetNet's own: streams, their loss, what of them is remembered and computed, and files of one side."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

import tfx_core
from tests.models.tiny import perturbed, random_ids, tiny_config
from tfx_core.errors import ConfigError, InputError
from tfx_core.model import Model
from tfx_seq2seq.prophetnet.streams import Streams

SOURCE, TARGET = random_ids("prophetnet", 2, 7), random_ids("prophetnet", 2, 5, seed=3)


def prophetnet(head: str = "conditional-generation", **config: object) -> Model:
    """A tiny model with every parameter perturbed."""
    made = tfx_core.new_model("prophetnet", head=head, seed=1, **{**tiny_config("prophetnet"), **config}).eval()
    return perturbed(made, 2, 0.3)


def of_streams(output: Any) -> Tensor:
    """Logits of all streams, ``(B, n, T, V)``."""
    return torch.cat((output.logits[:, None], output.logits_ngram), dim=1)


@pytest.mark.parametrize("streams", [2, 3])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_mean_over_all_streams_or_of_the_first(streams: int, smoothing: float) -> None:
    labels = TARGET.clone()
    labels[0, 3:] = -100
    for alone in (False, True):
        model = prophetnet(ngram=streams, eps=smoothing, disable_ngram_loss=alone)
        output = model(SOURCE, labels=labels)
        logits = of_streams(output)[:, : 1 if alone else streams]
        expected = F.cross_entropy(
            logits.flatten(0, 2), labels[:, None].expand(logits.shape[:3]).flatten(), label_smoothing=smoothing
        )
        torch.testing.assert_close(output.loss, expected)


def test_what_is_padding_of_the_target_counts_in_no_stream() -> None:
    model, mask = prophetnet(), torch.ones_like(TARGET)
    mask[1, 3:] = 0
    labels = TARGET.masked_fill(mask == 0, -100)
    torch.testing.assert_close(
        model(SOURCE, labels=TARGET, decoder_attention_mask=mask).loss, model(SOURCE, labels=labels).loss
    )


def test_a_call_may_say_where_the_tokens_of_the_target_stand() -> None:
    """Pretraining predicts fragments of a text, which do not begin with it; no other encoder-decoder has that."""
    model = prophetnet()
    counted = of_streams(model(SOURCE, decoder_input_ids=TARGET))
    places = torch.arange(5)[None].expand(2, -1)
    same = of_streams(model(SOURCE, decoder_input_ids=TARGET, decoder_position_ids=places))
    torch.testing.assert_close(same, counted)
    apart = of_streams(
        model(SOURCE, decoder_input_ids=TARGET, decoder_position_ids=places + torch.tensor([0, 0, 9, 9, 9]))
    )
    torch.testing.assert_close(apart[:, :, :2], counted[:, :, :2])
    assert ((apart - counted)[:, :, 2:].abs().amax(-1) > 1e-4).all()
    with pytest.raises(InputError, match="position_ids: "):
        model(SOURCE, decoder_input_ids=TARGET, decoder_position_ids=places + 40)
    t5 = tfx_core.new_model("t5", head="conditional-generation", seed=1, **tiny_config("t5"))
    with pytest.raises(TypeError, match="takes no 'decoder_position_ids'"):
        t5(SOURCE, decoder_input_ids=TARGET, decoder_position_ids=places)


def test_each_stream_predicts_from_one_token_less_and_the_first_token_always() -> None:
    model = prophetnet(ngram=3)
    before = of_streams(model(SOURCE, decoder_input_ids=TARGET))
    for place in range(TARGET.shape[1]):
        changed = TARGET.clone()
        changed[:, place] += 1
        after = of_streams(model(SOURCE, decoder_input_ids=changed))
        differ = (after - before).abs().amax(dim=(0, 3)) > 1e-5  # (n, T)
        for stream in range(3):
            first = 0 if place == 0 else place + stream
            assert differ[stream].tolist() == [each >= first for each in range(TARGET.shape[1])]


def test_a_cache_keeps_the_main_stream_and_gives_all() -> None:
    model, ids = prophetnet(), TARGET
    whole = model(SOURCE, decoder_input_ids=ids)
    first = model(SOURCE, decoder_input_ids=ids[:, :2], use_cache=True)
    assert [layer.self_attention.length for layer in first.past_key_values.layers] == [2, 2, 2]
    more = {"encoder_outputs": first.encoder_last_hidden_state, "past_key_values": first.past_key_values}
    rest = model(decoder_input_ids=ids[:, 2:4], use_cache=True, **more)
    last = model(decoder_input_ids=ids[:, 4:], use_cache=True, **more)
    torch.testing.assert_close(
        torch.cat([of_streams(each) for each in (first, rest, last)], dim=2), of_streams(whole), rtol=1e-4, atol=1e-5
    )
    assert [layer.self_attention.length for layer in last.past_key_values.layers] == [5, 5, 5]


@pytest.mark.parametrize("head", ["conditional-generation", "causal-lm"])
def test_one_predicting_stream_writes_and_all_run_for_reports(head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, seen = prophetnet(head, ngram=3), []
    join = Streams.join
    monkeypatch.setattr(Streams, "join", lambda self, streams: seen.append(len(streams)) or join(self, streams))
    options: dict[str, Any] = {"max_new_tokens": 3, "eos_token_id": None}
    plain = model.generate(SOURCE, **options)
    assert set(seen) == {2}
    seen.clear()
    told = model.generate(SOURCE, **options, output_attentions=True, return_dict_in_generate=True)
    assert set(seen) == {4}
    assert torch.equal(told.sequences, plain)


def test_a_decoder_runs_as_many_streams_as_it_is_asked_for() -> None:
    model = prophetnet("decoder-only", ngram=3)
    every = model.backbone(TARGET).last_hidden_state_ngram
    for streams in (1, 2, 3):
        some = model.backbone(TARGET, streams=streams).last_hidden_state_ngram
        torch.testing.assert_close(some, every[:, : streams * TARGET.shape[1]])
    for wrong in (0, 4):
        with pytest.raises(InputError, match=f"streams={wrong}: must be from 1 to ngram=3"):
            model.backbone(TARGET, streams=wrong)
    with pytest.raises(TypeError, match="takes no 'streams'"):
        model(TARGET, streams=1)


def test_positions_begin_behind_padding_and_leave_one_for_the_prediction() -> None:
    model = prophetnet()
    ids = random_ids("prophetnet", 1, 40)
    assert model(ids[:, :39], decoder_input_ids=ids[:, :38]).logits.shape[1] == 38
    with pytest.raises(InputError, match=r"^input_ids: text of 40 tokens: this model has positions for 39"):
        model(ids, decoder_input_ids=TARGET[:1])
    with pytest.raises(InputError, match=r"^decoder_input_ids .*: text of 39 tokens: this model has positions for 38"):
        model(ids[:, :5], decoder_input_ids=ids[:, :39])


def test_a_decoder_without_its_start_is_told() -> None:
    with pytest.raises(
        ConfigError, match="decoder_start_token_id=None: what the decoder reads is shifted right with it"
    ):
        prophetnet(decoder_start_token_id=None)(SOURCE, labels=TARGET)
    with pytest.raises(InputError, match="decoder_input_ids: the decoder has no input"):
        prophetnet()(SOURCE)


def test_a_decoder_without_cross_attention_has_no_source() -> None:
    with pytest.raises(ConfigError, match="add_cross_attention=False: must be true: this decoder has an encoder"):
        prophetnet(add_cross_attention=False)
    model = prophetnet("causal-lm", add_cross_attention=False)
    assert model(TARGET).logits.shape == (2, 5, 53)
    with pytest.raises(InputError, match="encoder_hidden_states: this model has no cross-attention"):
        model(TARGET, encoder_hidden_states=torch.zeros(2, 3, 24))


@pytest.mark.parametrize("whole", ["backbone", "conditional-generation"])
def test_each_side_is_read_from_a_model_of_both(whole: str, tmp_path: Path) -> None:
    model = prophetnet(whole)
    model.save_pretrained(tmp_path / "whole")
    states = model.backbone.encoder(SOURCE).last_hidden_state
    encoder = tfx_core.load_model(tmp_path / "whole", head="encoder-only")
    torch.testing.assert_close(encoder(SOURCE).last_hidden_state, states)
    for head in ("causal-lm", "decoder-only"):
        if (whole, head) == ("backbone", "causal-lm"):  # whose output layer is the table
            continue
        decoder = tfx_core.load_model(tmp_path / "whole", head=head)
        torch.testing.assert_close(
            decoder(TARGET, encoder_hidden_states=states).last_hidden_state,
            model.backbone.decoder(TARGET, encoder_hidden_states=states).last_hidden_state,
        )


@pytest.mark.parametrize("head", ["encoder-only", "decoder-only"])
def test_a_side_alone_names_its_tensors_without_saying_which_it_is(head: str, tmp_path: Path) -> None:
    prophetnet(head).save_pretrained(tmp_path)
    names = load_file(tmp_path / "model.safetensors").keys()
    assert {"word_embeddings.weight", "layers.0.self_attn.key_proj.weight"} <= names
    assert not [name for name in names if name.startswith(("encoder.", "decoder.", "prophetnet."))]
