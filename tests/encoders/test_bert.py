"""What is BERT's own: reports, decoder mode, initialisation, and how a checkpoint's parts meet a head."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

import tfx_core
from tests.models.tiny import perturbed, random_ids, tiny_config
from tfx_core.checkpoint import Rename, save_tensors
from tfx_core.errors import CheckpointError, ConfigError, InputError, UnknownNameError
from tfx_core.model import Backbone, HeadPlan
from tfx_core.model.heads import TokenClassificationHead
from tfx_core.model.model import Model

TINY = tiny_config("bert")
IDS = random_ids("bert", 2, 8)


def bert(head: str = "backbone", **config: object) -> Model:
    """A tiny model with every parameter perturbed."""
    made = tfx_core.new_model("bert", head=head, seed=1, **{**TINY, **config}).eval()
    return perturbed(made, 2, 0.1)


def states(model: Model, **inputs: object) -> Tensor:
    with torch.no_grad():
        return model(IDS, **inputs).last_hidden_state


def test_asking_for_attentions_changes_nothing_else() -> None:
    model = bert()
    torch.testing.assert_close(states(model, output_attentions=True), states(model))
    mask = torch.tensor([[1] * 8, [1] * 5 + [0] * 3])
    with torch.no_grad():
        seen = model(IDS, attention_mask=mask, output_attentions=True).attentions
    assert [tuple(each.shape) for each in seen] == [(2, 4, 8, 8)] * 3
    torch.testing.assert_close(seen[1].sum(-1), torch.ones(2, 4, 8))
    assert not seen[0][1, :, :, 5:].any()


def test_a_mask_for_each_query_is_taken() -> None:
    model = bert()
    causal = torch.ones(8, 8).tril().expand(2, 8, 8)
    torch.testing.assert_close(states(model, attention_mask=causal), states(bert(is_decoder=True)))


def test_a_decoder_with_a_source_decodes_step_by_step() -> None:
    model = bert("causal-lm", is_decoder=True, add_cross_attention=True)
    source = torch.randn(2, 5, 24, generator=torch.Generator().manual_seed(4))
    seen = {"encoder_hidden_states": source, "encoder_attention_mask": torch.tensor([[1] * 5, [1, 1, 0, 0, 0]])}
    with torch.no_grad():
        whole = model(IDS, **seen).logits
        cache = model(IDS[:, :5], use_cache=True, **seen).past_key_values
        steps = [
            model(IDS[:, place, None], past_key_values=cache, use_cache=True, **seen).logits for place in (5, 6, 7)
        ]
    torch.testing.assert_close(torch.cat(steps, 1), whole[:, 5:])


def test_a_language_model_generates_with_and_without_padding() -> None:
    model = bert("causal-lm")
    alone = [model.generate(IDS[row : row + 1, :length], max_new_tokens=6) for row, length in ((0, 8), (1, 5))]
    padded = torch.stack([IDS[0], torch.cat((torch.zeros(3, dtype=torch.long), IDS[1, :5]))])
    mask = torch.tensor([[1] * 8, [0] * 3 + [1] * 5])
    together = model.generate(padded, attention_mask=mask, max_new_tokens=6)
    assert together[0].tolist() == alone[0][0].tolist()
    assert together[1, 3:].tolist() == alone[1][0].tolist()


def test_an_encoder_cannot_generate() -> None:
    with pytest.raises(InputError, match="head 'masked-lm' cannot generate"):
        bert("masked-lm").generate(IDS)


def test_a_warning_about_an_option_names_the_line_that_gave_it() -> None:
    model = bert("causal-lm", eos_token_id=3)
    with pytest.warns(UserWarning, match="temperature") as caught:
        model.generate(IDS, temperature=0.5, max_new_tokens=1)
    assert caught[0].filename == __file__


def test_new_weights_are_the_papers() -> None:
    model = tfx_core.new_model("bert", seed=1, **{**TINY, "vocab_size": 500, "hidden_size": 64})
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        elif "norm" in name:
            assert (parameter == 1).all(), name
        else:
            assert 0.015 < parameter.std() < 0.02, name  # a normal of 0.02 cut at two deviations has 0.0176
            assert parameter.abs().max() <= 0.04, name
    assert not model.backbone.embeddings.token.weight[0].any()


def test_ids_that_the_model_does_not_have_are_named() -> None:
    with pytest.raises(InputError, match="input_ids: id 53 is not one of this model's, 0 to 52"):
        bert()(torch.tensor([[5, 53]]))
    with pytest.raises(InputError, match="token_type_ids: id 2"):
        bert()(IDS, token_type_ids=torch.full_like(IDS, 2))


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "neither input_ids nor inputs_embeds"),
        ({"input_ids": IDS, "inputs_embeds": torch.zeros(2, 8, 24)}, "both given"),
        ({"input_ids": IDS[:, :0]}, r"shape \(2, 0\).*at least one"),
        ({"input_ids": IDS, "attention_mask": torch.ones(2, 7)}, r"attention_mask of shape \(2, 7\).*\(2, 8\)"),
        ({"input_ids": IDS, "position_ids": torch.full((2, 8), 40)}, "positions for 40"),
    ],
)
def test_inputs_that_contradict_each_other_are_errors(inputs: dict[str, Tensor], said: str) -> None:
    with pytest.raises(InputError, match=said):
        bert()(**inputs)


def test_a_part_that_nothing_will_read_is_fresh_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bert("masked-lm").save_pretrained(tmp_path)
    with caplog.at_level(logging.WARNING, logger="tfx_core"):
        tfx_core.load_model(tmp_path, head="backbone", reads="token-states")
        assert not caplog.messages
        tfx_core.load_model(tmp_path, head="backbone")
        tfx_core.load_model(tmp_path, head="next-sentence", reads="token-states")
    assert ["pooler" in each for each in caplog.messages] == [True, True]


def test_a_head_that_the_checkpoint_lacks_is_fresh_and_said_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bert("masked-lm").save_pretrained(tmp_path)
    with caplog.at_level(logging.WARNING, logger="tfx_core"):
        model = tfx_core.load_model(tmp_path, head="sequence-classification", num_labels=5)
    assert len(caplog.messages) == 1
    assert "\n" not in caplog.messages[0]
    assert "pooler" in caplog.messages[0]
    assert "sequence-classifier" in caplog.messages[0]
    assert model(IDS).logits.shape == (2, 5)
    assert model.config.id2label[4] == "LABEL_4"


def test_a_part_that_both_heads_have_is_loaded_not_fresh(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stored = bert("pretraining")
    stored.save_pretrained(tmp_path)
    with caplog.at_level(logging.WARNING, logger="tfx_core"):
        model = tfx_core.load_model(tmp_path, head="masked-lm")
    assert not caplog.messages
    torch.testing.assert_close(model(IDS).logits, stored(IDS).prediction_logits)


def test_another_heads_classifier_is_not_taken_for_ones_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stored = bert("token-classification", num_labels=2)
    stored.save_pretrained(tmp_path)
    with caplog.at_level(logging.WARNING, logger="tfx_core"):
        model = tfx_core.load_model(tmp_path, head="sequence-classification")
    assert "sequence-classifier" in caplog.messages[0]
    assert not torch.equal(model.head.classifier[1].weight, stored.head.classifier[1].weight)


def test_only_classifiers_exclude_each_other() -> None:
    classifiers = {"sequence-classifier", "token-classifier", "choice-classifier"}
    assert bert().weight_table.exclusive == classifiers


def test_a_head_sets_up_the_config_and_the_user_has_the_last_word() -> None:
    assert bert("causal-lm").config.is_decoder
    assert bert("causal-lm", add_cross_attention=True).config.is_decoder
    assert not bert("causal-lm", is_decoder=False).config.is_decoder


def test_every_fault_of_a_checkpoint_is_listed_at_once(tmp_path: Path) -> None:
    model = bert()
    model.save_pretrained(tmp_path)
    from tfx_core.checkpoint import collect_weights

    tensors = dict(collect_weights(model, model.weight_table, head="backbone"))
    del tensors["encoder.layer.1.output.dense.weight"]
    tensors["embeddings.word_embeddings.weight"] = torch.zeros(50, 24)
    tensors["encoder.layer.9.output.dense.bias"] = torch.zeros(24)
    tensors["something.else"] = torch.zeros(1)
    save_tensors(tmp_path, tensors)
    with pytest.raises(CheckpointError) as caught:
        tfx_core.load_model(tmp_path)
    said = str(caught.value)
    assert str(tmp_path) in said
    for part in (
        "missing bert.encoder.layer.1.output.dense.weight (24, 40)",
        "word_embeddings.weight: is (50, 24)",
        "(53, 24)",
        "encoder.layer.9.output.dense.bias",
        "something.else",
    ):
        assert part in said


def test_names_of_the_first_conversions_are_read(tmp_path: Path) -> None:
    from tfx_core.checkpoint import collect_weights

    model = bert()
    model.save_pretrained(tmp_path)
    tensors = collect_weights(model, model.weight_table, head="backbone")
    old = {"weight": "gamma", "bias": "beta"}
    renamed = {
        name if "LayerNorm" not in name else name.rpartition(".")[0] + "." + old[name.rpartition(".")[2]]: tensor
        for name, tensor in tensors.items()
    }
    save_tensors(tmp_path, {**renamed, "embeddings.position_ids": torch.arange(40)[None]})
    assert torch.equal(states(tfx_core.load_model(tmp_path)), states(model))


def test_a_third_partys_head_is_built_saved_and_loaded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plugin = SimpleNamespace(
        tfx_heads=tfx_core.hookimpl(
            lambda: [tfx_core.HeadSpec("probe", target=f"{__name__}:PROBE", capability="token-states")],
            specname="tfx_heads",
        )
    )
    bert("masked-lm").save_pretrained(tmp_path / "plain")
    with pytest.raises(UnknownNameError, match="no head 'probe' for bert: it has backbone, masked-lm"):
        tfx_core.load_model(tmp_path / "plain", head="probe")
    import sys

    sys.modules[__name__].PROBE = PROBE  # the test runner imports this file under a name of its own
    with tfx_core.register(plugin, name="probe-plugin"):
        with caplog.at_level(logging.WARNING, logger="tfx_core"):
            model = tfx_core.load_model(tmp_path / "plain", head="probe", num_labels=4)
        assert "probe" in caplog.messages[0]
        model.save_pretrained(tmp_path / "probed")
        again = tfx_core.load_model(tmp_path / "probed")
        assert again.head_name == "probe"
        assert torch.equal(again(IDS).logits, model(IDS).logits)


def _build_probe(config: tfx_core.ModelConfig, backbone: Backbone) -> TokenClassificationHead:
    return TokenClassificationHead(nn.Linear(backbone.width, config.num_labels))


def _initialise_probe(path: str, module: nn.Module, config: tfx_core.ModelConfig, generator: object) -> None:
    assert path.startswith("head")
    if isinstance(module, nn.Linear):
        nn.init.constant_(module.weight, 0.5)
        nn.init.zeros_(module.bias)


PROBE: HeadPlan[tfx_core.ModelConfig] = HeadPlan(
    _build_probe, rules={"probe": (Rename("probe.{p}", "head.classifier.{p}"),)}, initialise=_initialise_probe
)


def test_an_attention_kernel_is_chosen_by_name_or_given(tmp_path: Path) -> None:
    model = bert()
    model.save_pretrained(tmp_path)
    by_name = tfx_core.load_model(tmp_path, attention="eager")
    torch.testing.assert_close(states(by_name), states(model))
    with pytest.raises(UnknownNameError, match="sdpaa"):
        tfx_core.load_model(tmp_path, attention="sdpaa")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "auto"])
def test_a_type_is_chosen_while_loading(tmp_path: Path, dtype: str) -> None:
    bert().to(torch.bfloat16).save_pretrained(tmp_path)
    wanted = torch.bfloat16 if dtype == "auto" else getattr(torch, dtype)
    assert tfx_core.load_model(tmp_path, dtype=dtype).dtype == wanted
    with pytest.raises(InputError, match="dtype='int7'"):
        tfx_core.load_model(tmp_path, dtype="int7")


def test_an_override_is_checked_like_the_file(tmp_path: Path) -> None:
    bert().save_pretrained(tmp_path)
    with pytest.raises(TypeError, match="no 'num_lables': did you mean 'num_labels'"):
        tfx_core.load_model(tmp_path, num_lables=3)
    with pytest.raises(ConfigError, match=r"hidden_dropout_prob=2: must be a number from 0 to 1"):
        tfx_core.load_model(tmp_path, hidden_dropout_prob=2)
