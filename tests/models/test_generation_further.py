"""Generation with another model's guesses, and after what an earlier call left: the texts are those of a plain call."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.cases import case_of
from tests.models.test_generation import GENERATORS, LENGTHS, exact, prompts, start
from tests.models.tiny import perturbed, random_ids, texts_differ, tiny_config
from tfx_core.errors import InputError
from tfx_core.model import Model
from tfx_core.model.heads import LanguageHead
from tfx_testing.cases import CHOICE_HEADS

SEARCHES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampled": {"do_sample": True, "top_k": 9, "seeds": [3, 4, 5]},
    "copies": {"do_sample": True, "top_k": 0, "seeds": [3, 4, 5], "num_return_sequences": 3},
}


@pytest.fixture(params=GENERATORS, ids=lambda each: "-".join((*each[:2], *each[2])))
def models(request: pytest.FixtureRequest) -> tuple[Model, Model]:
    """Two tiny models of a kind whose texts differ, the second one without cross-attention."""
    model_type, head, changes = request.param
    first, second = (
        tfx_core.new_model(model_type, head=head, seed=1, **{**tiny_config(model_type), **more}).eval()
        for more in (changes, {key: x for key, x in changes.items() if key != "add_cross_attention"})
    )
    return perturbed(first, 2, texts_differ), perturbed(second, 3, texts_differ)


def settings(model: Model, **options: Any) -> dict[str, Any]:
    plain = {"max_new_tokens": 9, "eos_token_id": 9, "pad_token_id": 0, "suppress_tokens": [0]}
    return {**plain, "decoder_start_token_id": start(model), **options}


@pytest.mark.parametrize("name", SEARCHES)
def test_an_assistant_changes_no_text(models: tuple[Model, Model], name: str) -> None:
    model, assistant = models
    inputs, options = prompts(model), settings(model, **SEARCHES[name])
    if not exact(model):
        with pytest.raises(InputError, match="cannot take tokens back"):
            model.generate(**inputs, **options, assistant_model=assistant)
        return
    plain = model.generate(**inputs, **options)
    for helper, threshold in ((assistant, 0.0), (model, 0.0), (assistant, 0.1)):
        if helper.config.add_cross_attention:
            continue
        guessing = {"assistant_model": helper, "assistant_confidence_threshold": threshold, "num_assistant_tokens": 4}
        assert torch.equal(model.generate(**inputs, **options, **guessing), plain)


def test_an_assistant_with_another_vocabulary_is_refused(models: tuple[Model, Model]) -> None:
    model, assistant = models
    config = {**tiny_config(model.config.model_type), "vocab_size": 60}
    other = tfx_core.new_model(model.config.model_type, head=assistant.head_name, seed=1, **config).eval()
    with pytest.raises(InputError, match="assistant_model with a vocabulary of 60 tokens: the model's has"):
        model.generate(**prompts(model), **settings(model), assistant_model=other)


REPORTED = {
    "greedy": {},
    "beams": {"num_beams": 3},
    "groups": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.7},
    "forced": {"num_beams": 3, "force_words_ids": [[6, 7]]},
}


@pytest.mark.parametrize("name", REPORTED)
def test_attentions_and_states_are_reported_for_each_new_token(models: tuple[Model, Model], name: str) -> None:
    model, inputs, options = (
        models[0],
        prompts(models[0]),
        {**settings(models[0]), **REPORTED[name], "eos_token_id": None},
    )
    asked = {"output_attentions": True, "output_hidden_states": True, "return_dict_in_generate": True}
    if "past_key_values" not in model.input_names:
        with pytest.raises(InputError, match="output_attentions: generation has no use for it"):
            model.generate(**inputs, **options, **asked)
        return
    plain = model.generate(**inputs, **options)
    with pytest.warns(UserWarning, match="output_attentions=True has no effect without return_dict_in_generate=True"):
        assert torch.equal(model.generate(**inputs, **options, output_attentions=True), plain)
    output = model.generate(**inputs, **options, **asked)
    assert torch.equal(output.sequences, plain)
    prefix = "decoder_" if model.config.is_encoder_decoder else ""
    rows, layers = len(LENGTHS) * options.get("num_beams", 1), len(output[f"{prefix}attentions"][0])
    for number, each in enumerate(output[f"{prefix}attentions"]):
        shape = each[-1].shape
        assert (shape[0], len(each), shape[2] > 1) == (rows, layers, number == 0 and not prefix)
        sums = each[-1][:, :, -1].sum(-1)
        torch.testing.assert_close(sums, torch.ones_like(sums))
    # the newest token's last state gives the logits, where all that heads read is reported
    steps = model.generate(**inputs, **options, **asked, output_logits=True)
    for logits, states in zip(steps.logits, steps[f"{prefix}hidden_states"], strict=True):
        of_others = type(model.language_head).read is not LanguageHead.read
        if of_others or states[-1].shape[-1] != model.backbone.width:
            continue
        torch.testing.assert_close(model.language_head.predictions(states[-1][:, -1]), logits)
    assert ("encoder_attentions" in output) == model.config.is_encoder_decoder
    assert ("cross_attentions" in output) == (model.config.is_encoder_decoder or model.config.add_cross_attention)
    for guessed in (
        {"prompt_lookup_num_tokens": 3},
        {"penalty_alpha": 0.5, "top_k": 4},
        {"assistant_model": models[1]},
    ):
        if not options.get("num_beams"):
            with pytest.raises(InputError, match="output_attentions: not with"):
                model.generate(**inputs, **options, **asked, **guessed)


def tensors_of(remembered: Any) -> list[Tensor]:
    """All that something holds."""
    if isinstance(remembered, Tensor):
        return [remembered]
    parts = remembered.values() if isinstance(remembered, dict) else vars(remembered).values()
    return [
        each
        for part in parts
        if isinstance(part, Tensor | dict) or hasattr(part, "__dict__")
        for each in tensors_of(part)
    ]


CONTINUED: dict[str, dict[str, Any]] = {
    **SEARCHES,
    "lookup": {"prompt_lookup_num_tokens": 3},
    "beams": {"num_beams": 3, "num_return_sequences": 2},
    "sampled beams": {"num_beams": 3, "do_sample": True, "seeds": [3, 4, 5]},
    "groups": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.7},
    "forced": {"num_beams": 3, "force_words_ids": [[6, 7]]},
}


def turn(model: Model, begun: Tensor, seed: int) -> dict[str, Tensor]:
    """The texts so far, which padding follows, with more said after it."""
    said = random_ids(model.config.model_type, len(begun), 4, seed=seed)
    said[0, :2] = 0
    ids = torch.cat((begun, said), dim=1)
    mask = (ids != 0).long()
    if model.config.is_encoder_decoder and start(model) == 0:
        mask[:, 0] = 1  # the start token is the padding token
    return {"ids": ids, "mask": mask}


def in_words_of(model: Model, text: dict[str, Tensor], inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    if model.config.is_encoder_decoder:
        return {**inputs, "decoder_input_ids": text["ids"], "decoder_attention_mask": text["mask"]}
    return {**inputs, "input_ids": text["ids"], "attention_mask": text["mask"]}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", CONTINUED)
def test_a_text_goes_on_with_the_cache_as_without(models: tuple[Model, Model], name: str, side: str) -> None:
    model, inputs, options = models[0], prompts(models[0]), settings(models[0], **CONTINUED[name])
    if "past_key_values" not in model.input_names or (side == "right" and model.config.is_encoder_decoder):
        return  # a decoder of its own begins with one token, and has no padding on either side
    if side == "right":
        inputs = {**inputs, **{each: inputs[each].flip(1) for each in ("input_ids", "attention_mask")}}
    copies = int(options.get("num_return_sequences", 1))
    first = model.generate(**inputs, **options, return_dict_in_generate=True)
    assert torch.equal(first.sequences, model.generate(**inputs, **options))
    past, rows = first.past_key_values, torch.arange(len(LENGTHS)).repeat_interleave(copies)
    if options.get("num_beams", 1) > 1:  # whose cache is that of the running beams
        assert past is None
        first = model.generate(**inputs, **settings(model), return_dict_in_generate=True)
        past, rows = first.past_key_values, torch.arange(len(LENGTHS))
    assert tensors_of(past.layers[0])
    assert not any(each.is_inference() for each in tensors_of(past.layers[0]))
    inputs = {each: value[rows] for each, value in inputs.items()}
    if "seeds" in options:
        options["seeds"] = list(range(len(rows)))
    text = turn(model, first.sequences, seed=8)
    given = in_words_of(model, text, inputs)
    expected = model.generate(**given, **options)
    for _ in range(2):  # the cache stays as it was
        assert torch.equal(model.generate(**given, **options, past_key_values=past), expected)
    # the new tokens alone, which a mask of all tells
    known = past.real.dense_mask.sum(1)
    ends = text["mask"].cumsum(1) * text["mask"]
    new = [text["ids"][row, ends[row] > known[row]] for row in range(len(rows))]
    width = max(map(len, new))
    tail = {
        "ids": torch.stack([torch.nn.functional.pad(each, (0, width - len(each))) for each in new]),
        "mask": torch.stack([(torch.arange(width) < len(each)).long() for each in new]),
    }
    tail["mask"] = torch.cat((past.real.dense_mask.long(), tail["mask"]), dim=1)
    if "prompt_lookup_num_tokens" not in options:
        shorter = model.generate(**in_words_of(model, tail, inputs), **options, past_key_values=past)
        made = expected.shape[1] - text["ids"].shape[1]
        assert torch.equal(shorter[:, -made:], expected[:, -made:])


def test_a_chat_of_turns_is_one_text(models: tuple[Model, Model]) -> None:
    model, inputs = models[0], prompts(models[0])
    if "past_key_values" not in model.input_names:
        return
    options = {**settings(model), "eos_token_id": None, "return_dict_in_generate": True, "max_new_tokens": 4}
    output = model.generate(**inputs, **options)
    for number in range(3):
        given = in_words_of(model, turn(model, output.sequences, seed=number), inputs)
        output = model.generate(**given, **options, past_key_values=output.past_key_values)
        assert torch.equal(output.sequences, model.generate(**given, **options).sequences)


def test_a_cache_that_does_not_fit_is_told(models: tuple[Model, Model]) -> None:
    model, ids = models[0], prompts(models[0])["input_ids"].clamp(min=5)
    if "past_key_values" not in model.input_names or model.config.is_encoder_decoder or model.head_name in CHOICE_HEADS:
        return
    source = {each: value for each, value in prompts(model).items() if each.startswith("encoder")}
    past = model(ids, **source, use_cache=True).past_key_values
    with pytest.raises(InputError, match="past_key_values has 3 rows, this call 2; must be alike"):
        model(ids[:2], **{each: value[:2] for each, value in source.items()}, past_key_values=past)
    past.layers = past.layers[:1]
    with pytest.raises(InputError, match="past_key_values of 1 layers: this model has"):
        model.generate(torch.cat((ids, ids), dim=1), **source, past_key_values=past)
    heads = {"num_attention_heads", "decoder_attention_heads", "num_decoder_attention_heads"} & {
        *model.config.field_names(),
        *model.config.aliases,
    }
    fewer = model.config.replace(**dict.fromkeys(heads, 1))
    values = {key: getattr(fewer, key) for key in fewer.field_names() if key != "extra"}
    other = tfx_core.new_model(fewer.model_type, head=model.head_name, seed=1, **values).eval()
    past = other(ids, **source, use_cache=True).past_key_values
    with pytest.raises(InputError, match=r"past_key_values of 1 heads of width \d+: not this model's; a cache goes on"):
        model(ids, **source, past_key_values=past)


def test_a_cache_of_a_call_begins_a_text(models: tuple[Model, Model]) -> None:
    model, inputs, options = models[0], prompts(models[0]), settings(models[0])
    if "past_key_values" not in model.input_names or model.config.is_encoder_decoder or model.head_name in CHOICE_HEADS:
        return
    ids = inputs["input_ids"].clamp(min=5)
    source = {each: value for each, value in inputs.items() if each.startswith("encoder")}
    asked = case_of(model.config.model_type).asked(model, {"input_ids": ids, "token_type_ids": ids % 2})
    types = {"token_type_ids": ids % 2} if {"token_type_ids"} <= asked.keys() & {*model.input_names} else {}
    said = {each: value[:, :4] for each, value in asked.items() if each not in ("input_ids", "token_type_ids")}
    past = model(ids[:, :4], **said, **source, use_cache=True).past_key_values  # with gradients
    said |= {each: value[:, :4] for each, value in types.items()}
    typed = model(ids[:, :4], **said, **source, use_cache=True)
    assert torch.equal(
        model.generate(ids, **source, **options, past_key_values=past), model.generate(ids, **source, **options)
    )
    assert torch.equal(
        model.generate(ids, **source, **types, **options, past_key_values=typed.past_key_values),
        model.generate(ids, **source, **types, **options),
    )
    assert torch.equal(
        model.generate(ids, **source, **options, past_key_values=model.backbone.new_cache()),
        model.generate(ids, **source, **options),
    )
    with pytest.raises(InputError, match="row 0 has 3 tokens, of which past_key_values knows 4; give the whole text"):
        model.generate(ids[:, 3:], **source, **options, past_key_values=past)
    with pytest.raises(InputError, match="past_key_values has 3 rows, input_ids 2; must be alike"):
        model.generate(ids[:2], **{each: value[:2] for each, value in source.items()}, **options, past_key_values=past)
    with pytest.raises(InputError, match="past_key_values: contrastive search"):
        model.generate(ids, **source, **options, past_key_values=past, penalty_alpha=0.5, top_k=4)
    vectors = model.backbone.embed(ids).detach()
    with pytest.raises(InputError, match="past_key_values: give input_ids beside it"):
        model.generate(inputs_embeds=vectors, **source, **options, past_key_values=past)


def test_a_copy_of_a_cache_goes_on_by_itself(models: tuple[Model, Model]) -> None:
    model, _ = models
    if model.head_name in CHOICE_HEADS or model.config.is_encoder_decoder or "past_key_values" not in model.input_names:
        return
    ids = random_ids(model.config.model_type, 2, 7)
    with torch.no_grad():
        cache = model(ids[:, :5], use_cache=True).past_key_values
        expected = model(ids[:, 5:], past_key_values=copy.copy(cache)).logits
        model(ids[:, :2], past_key_values=copy.copy(cache))
        torch.testing.assert_close(model(ids[:, 5:], past_key_values=cache).logits, expected)
