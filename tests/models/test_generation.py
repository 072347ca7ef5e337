"""What `generate` makes of every input of every model that generates: it is honoured as by a call, or refused by name.

A call knows no cache: for each token it reads the whole text again.
"""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.cases import case_of, readers_of_text
from tests.models.tiny import each_stream, perturbed, random_ids, texts_differ, tiny_config
from tfx_core.errors import ConfigError, InputError
from tfx_core.generation import GenerationOptions, RevealingState
from tfx_core.model import Model, load_architecture
from tfx_core.model.heads import LanguageHead
from tfx_core.nn import eager
from tfx_testing.cases import CHOICE_HEADS

LENGTHS, NEW, COPIES = (6, 3, 5), 7, 2
CROSSING: dict[str, Any] = {"add_cross_attention": True}
CAUSAL: dict[str, Any] = {"causal": True}


def generators() -> list[tuple[str, str, dict[str, Any]]]:
    """Every architecture and head that generates, once more with cross-attention or causal where it can be."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    for spec in readers_of_text():
        if load_architecture(spec.name).decoding is None:
            continue
        for head in spec.heads:
            plain, crossing = (
                tfx_core.new_model(spec.name, head=head, seed=0, **{**tiny_config(spec.name), **changes})
                for changes in ({}, CROSSING)
            )
            if not isinstance(plain.head, LanguageHead):
                continue
            found.append((spec.name, head, {}))
            if "causal" in plain.config.field_names():
                found.append((spec.name, head, CAUSAL))
            if crossing.num_parameters() > plain.num_parameters():
                found.append((spec.name, head, CROSSING))
    return found


GENERATORS = generators()


@pytest.fixture(params=GENERATORS, ids=lambda each: "-".join((*each[:2], *each[2])))
def model(request: pytest.FixtureRequest) -> Model:
    """A tiny model with every parameter perturbed, so much that its texts differ."""
    model_type, head, changes = request.param
    config = {**tiny_config(model_type), **changes}
    return perturbed(tfx_core.new_model(model_type, head=head, seed=1, **config).eval(), 2, texts_differ)


def prompts(model: Model) -> dict[str, Tensor]:
    """Ragged prompts, padded on the left, or what an encoder reads; and what every call of the model needs."""
    width = max(LENGTHS)
    mask = torch.stack([torch.arange(width) >= width - length for length in LENGTHS]).long()
    ids = random_ids(model.config.model_type, len(LENGTHS), width, seed=3) * mask
    given = {"input_ids": ids, "attention_mask": mask}
    if model.config.add_cross_attention and "encoder_hidden_states" in model.input_names:
        given["encoder_hidden_states"] = noise(len(ids), 4, model.config.hidden_size)
    return given


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


def layers_of(model: Model) -> int:
    return int(model.config.num_hidden_layers)


def memory(model: Model, ids: Tensor) -> list[Tensor]:
    return [noise(3, len(ids), model.config.hidden_size) for _ in range(layers_of(model))]


def heads_off(model: Model, ids: Tensor) -> Tensor:
    return (
        first_off(int(model.config.num_attention_heads))
        if model.config.is_encoder_decoder
        else (decoder_heads_off(model, ids))
    )


def decoder_heads_off(model: Model, ids: Tensor) -> Tensor:
    names = ("decoder_attention_heads", "num_decoder_attention_heads", "num_attention_heads")
    return first_off(next(getattr(model.config, name) for name in names if hasattr(model.config, name)))


def first_off(heads: int) -> Tensor:
    return torch.tensor([0.0] + [1.0] * (heads - 1))


def target(model: Model, ids: Tensor) -> Tensor:
    return torch.cat((torch.full((len(ids), 1), start(model)), ids[:, -2:]), dim=1)


def encoded(model: Model, ids: Tensor) -> Tensor:
    return noise(*ids.shape, model.config.hidden_size)


VALUES: dict[str, Callable[[Model, Tensor], Any]] = {
    "attention": lambda model, ids: eager,
    "attention_mask": lambda model, ids: prompts(model)["attention_mask"],
    "cross_attn_head_mask": decoder_heads_off,
    "decoder_attention_mask": lambda model, ids: torch.ones(len(ids), 1, dtype=torch.long),
    "decoder_head_mask": decoder_heads_off,
    "decoder_input_ids": target,
    "decoder_inputs_embeds": lambda model, ids: noise(len(ids), 1, model.config.hidden_size),
    "decoder_position_ids": lambda model, ids: torch.ones(len(ids), 1, dtype=torch.long),
    "encoder_attention_mask": lambda model, ids: torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0]]),
    "encoder_hidden_states": lambda model, ids: noise(len(ids), 4, model.config.hidden_size),
    "encoder_outputs": encoded,
    "head_mask": heads_off,
    "input_ids": lambda model, ids: ids,
    "input_mask": lambda model, ids: 1 - prompts(model)["attention_mask"],
    "inputs_embeds": lambda model, ids: model.backbone.embed(ids.roll(1, 0)),
    "labels": lambda model, ids: ids,
    "langs": lambda model, ids: ids % 2,
    "lengths": lambda model, ids: torch.tensor(LENGTHS),
    "logits_to_keep": lambda model, ids: 1,
    "mc_labels": lambda model, ids: ids[:, 0],
    "mc_token_ids": lambda model, ids: ids[:, :1],
    "mems": memory,
    "num_hashes": lambda model, ids: 2,
    "output_attentions": lambda model, ids: True,
    "output_hidden_states": lambda model, ids: True,
    "past_key_values": lambda model, ids: model.backbone.new_cache(),
    "perm_mask": lambda model, ids: torch.zeros(*ids.shape, ids.shape[1]),
    "position_ids": lambda model, ids: (prompts(model)["attention_mask"].cumsum(1) + 1).clamp(min=0) * 2,
    "target_mapping": lambda model, ids: torch.zeros(len(ids), 1, ids.shape[1]),
    "token_type_ids": lambda model, ids: ids % 2,
    "use_mems": lambda model, ids: False,
}
"""A value for each input that a model may have."""
REFUSED = {
    "decoder_inputs_embeds", "decoder_position_ids", "input_mask", "lengths", "logits_to_keep", "mc_labels",
    "mc_token_ids", "perm_mask", "target_mapping",
}  # fmt: skip
"""What generation never has a use for. Others a model may refuse as well."""
OF_EACH_TOKEN = ("input_ids", "attention_mask", "token_type_ids", "position_ids", "inputs_embeds", "langs")
OF_EACH_ROW = ("encoder_hidden_states", "encoder_attention_mask", "encoder_outputs", "decoder_attention_mask")


def start(model: Model) -> int:
    token = model.config.decoder_start_token_id
    return 2 if token is None else int(token)


def uncached(model: Model, row: int, inputs: dict[str, Any]) -> list[int]:
    """The most probable new tokens of a row alone, without its padding."""
    real = inputs["attention_mask"][row].bool()
    # an empty cache; a batch to learn from has labels
    own = {name: value for name, value in inputs.items() if name not in ("past_key_values", "labels")}
    for name in OF_EACH_TOKEN:
        if name in own:
            own[name] = own[name][row : row + 1, real]
    for name in OF_EACH_ROW:
        if name in own:
            own[name] = own[name][row : row + 1]
    if "encoder_outputs" in own:
        own["encoder_outputs"] = own["encoder_outputs"][:, real]
    if "mems" in own:
        own["mems"] = [each[:, row : row + 1] for each in own["mems"]]
    text = "input_ids"
    if model.config.is_encoder_decoder:
        text = "decoder_input_ids"
        own[text] = own[text][row : row + 1] if text in own else torch.tensor([[start(model)]])
    elif "inputs_embeds" in own:
        del own["input_ids"]
    new: list[int] = []
    for _ in range(NEW):
        with torch.no_grad():
            new.append(int(next_logits(model, own).argmax()))
        own = continued(model, own, text, new[-1])
    return new


def next_logits(model: Model, inputs: dict[str, Any]) -> Tensor:
    """What a call of the model gives for the next token."""
    if model.head_name in CHOICE_HEADS:  # whose calls have an axis of choices
        logits: Tensor = model.language_head.predictions(model.backbone(**inputs).last_hidden_state)[0, -1]
        return logits
    last: Tensor = model(**case_of(model.config.model_type).asked(model, inputs)).logits[0, -1]
    return last


def continued(model: Model, own: dict[str, Any], text: str, token: int) -> dict[str, Any]:
    """The inputs of the next call: the text is one token longer, and what belongs to its tokens as well."""
    longer = dict(own)
    added = torch.tensor([[token]])
    if text in own:
        longer[text] = torch.cat((own[text], added), dim=1)
    else:
        longer["inputs_embeds"] = torch.cat((own["inputs_embeds"], model.backbone.embed(added)), dim=1)
    mask = text.replace("input_ids", "attention_mask")
    if mask in own:
        longer[mask] = torch.cat((own[mask], torch.ones_like(added)), dim=1)
    for name in ("token_type_ids", "langs"):
        if name in own:
            longer[name] = torch.cat((own[name], own[name][:, -1:]), dim=1)
    if "position_ids" in own:
        longer["position_ids"] = torch.cat((own["position_ids"], own["position_ids"][:, -1:] + 1), dim=1)
    return longer


def generated(model: Model, inputs: dict[str, Any], **options: Any) -> list[list[int]]:
    """The new tokens of each text."""
    plain = {"max_new_tokens": NEW, "eos_token_id": None, "pad_token_id": 0, "decoder_start_token_id": start(model)}
    sequences = model.generate(**inputs, **{**plain, **options})
    texts: list[list[int]] = sequences[:, -NEW:].tolist()
    return texts


def exact(model: Model) -> bool:
    """Whether steps give what reading the whole text again gives, and tokens can be taken back.

    XLNet's tokens see those that follow; a state that reads everything again keeps nothing that could be taken back.
    """
    return model.config.model_type not in ("xlnet", "transfo-xl") and model.backbone.causal


@pytest.mark.filterwarnings("ignore:output_.*return_dict_in_generate")
def test_every_input_is_honoured_or_refused_by_name(model: Model) -> None:
    plain = prompts(model)
    unknown = set(model.input_names) - VALUES.keys() - {"use_cache"}
    assert not unknown, f"say in VALUES what {unknown} may be"
    for name in sorted(set(model.input_names) - {"use_cache"}):
        inputs = {**plain, name: VALUES[name](model, plain["input_ids"])}
        if name == "encoder_outputs" or (name == "inputs_embeds" and model.config.is_encoder_decoder):
            del inputs["input_ids"]
        try:
            texts = generated(model, inputs)
        except InputError as error:
            assert str(error).startswith(f"{name}: "), name  # noqa: PT017
            of_source = name in ("encoder_hidden_states", "encoder_attention_mask")
            without_source = of_source and not model.config.add_cross_attention
            assert name in REFUSED or without_source or not exact(model)
            continue
        assert name not in REFUSED
        if exact(model):
            assert texts == [uncached(model, row, inputs) for row in range(len(LENGTHS))], name
        if name in ("token_type_ids", "position_ids", "langs"):
            for options in ({"num_beams": 2}, {"prompt_lookup_num_tokens": 3}) if exact(model) else ():
                together = generated(model, inputs, **options)
                for row in range(len(LENGTHS)):
                    alone = {each: value[row : row + 1] for each, value in inputs.items()}
                    assert generated(model, alone, **options) == together[row : row + 1], (name, options)
                if "num_beams" not in options:
                    assert together == texts


def test_an_input_changes_what_is_written(model: Model) -> None:
    """Or the comparison above would show nothing."""
    plain = prompts(model)
    before = generated(model, plain)
    for name in ("token_type_ids", "position_ids", "head_mask", "inputs_embeds", "langs"):
        if name in model.input_names and exact(model) and not model.config.is_encoder_decoder:
            given = {**plain, name: VALUES[name](model, plain["input_ids"])}
            if name not in case_of(model.config.model_type).asked(model, given):
                continue
            try:
                assert generated(model, given) != before, name
            except InputError:
                assert model.config.model_type == "bart"  # whose decoder has learned positions and no types


def test_neither_what_follows_nor_how_much_changes_earlier_logits(model: Model) -> None:
    """Of a decoder whose steps are exact: what it predicted it has predicted."""
    if "past_key_values" not in model.input_names or not exact(model) or model.head_name in CHOICE_HEADS:
        return
    given = prompts(model)
    name = "decoder_input_ids" if model.config.is_encoder_decoder else "input_ids"
    ids = random_ids(model.config.model_type, len(LENGTHS), max(LENGTHS), seed=7)
    mask = "decoder_attention_mask" if model.config.is_encoder_decoder else "attention_mask"
    given[mask] = given["attention_mask"]
    real, end = given[mask][:, :-2].bool(), ids.shape[1] - 2
    other = torch.cat((ids[:, :end], ids[:, end:].flip(1) - 1), dim=1)
    with torch.no_grad():
        whole, changed = model(**{**given, name: ids}), model(**{**given, name: other})
        short = model(**{**given, name: ids[:, :end], mask: given[mask][:, :end]})
    for key in (key for key in whole if "logits" in key and isinstance(whole[key], Tensor)):
        expected = [each[real] for each in each_stream(short[key], end)]
        for output in (whole, changed):
            for found, wanted in zip(each_stream(output[key], ids.shape[1]), expected, strict=True):
                torch.testing.assert_close(found[:, :end][real], wanted, rtol=1e-4, atol=1e-5)


def test_switches_that_are_off_ask_for_nothing(model: Model) -> None:
    plain = prompts(model)
    off = {"output_attentions": False, "output_hidden_states": False, "labels": None}
    assert generated(model, {**plain, **off}) == generated(model, plain)


def test_masks_of_another_shape_are_refused_by_name(model: Model) -> None:
    plain = prompts(model)
    width = max(LENGTHS)
    with pytest.raises(InputError, match=rf"attention_mask of shape \(3, {width}, {width}\)"):
        generated(model, {**plain, "attention_mask": torch.ones(3, width, width)})


SEARCHES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampled": {"do_sample": True, "top_k": 9, "seeds": [3, 4, 5]},
    "copies": {"do_sample": True, "top_k": 0, "seeds": [3, 4, 5], "num_return_sequences": 3},
    "filtered copies": {"do_sample": True, "top_p": 0.8, "seeds": [7, 8, 9], "num_return_sequences": 2},
    "beams": {"num_beams": 3, "num_return_sequences": 2},
    "sampled beams": {"num_beams": 3, "do_sample": True, "seeds": [3, 4, 5]},
    "groups": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.7, "num_return_sequences": 3},
    "forced": {"num_beams": 3, "force_words_ids": [[6, 7]]},
    "contrastive": {"penalty_alpha": 0.5, "top_k": 4},
}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_text_is_the_same_in_any_batch_with_lookup_or_without(model: Model, name: str) -> None:
    options = {"max_new_tokens": 9, "eos_token_id": 9, "pad_token_id": 0, **SEARCHES[name]}
    options["decoder_start_token_id"] = start(model)
    assert model.architecture.decoding is not None
    if name == "contrastive" and not isinstance(model.architecture.decoding(model, prompts(model)), RevealingState):
        with pytest.raises(InputError, match="hidden states"):
            model.generate(**prompts(model), **options)
        return
    inputs = prompts(model)
    together = model.generate(**inputs, **options)
    if "num_beams" not in options and "penalty_alpha" not in options and exact(model):
        assert torch.equal(model.generate(**inputs, prompt_lookup_num_tokens=4, **options), together)
    copies = options.get("num_return_sequences", 1)
    for row in range(len(LENGTHS)):
        alone = {each: value[row : row + 1] for each, value in inputs.items()}
        own = {**options, "seeds": options["seeds"][row : row + 1]} if "seeds" in options else options
        texts = model.generate(**alone, **own)
        expected = together[row * copies : (row + 1) * copies]
        width = texts.shape[1]
        assert torch.equal(texts, expected[:, :width])
        assert not expected[:, width:].any()


@pytest.mark.parametrize(("model_type", "head", "changes"), GENERATORS)
def test_settings_of_ones_own_stand_beside_those_of_the_head(
    model_type: str, head: str, changes: dict[str, Any]
) -> None:
    """The head's own settings are not skipped where some are given: every new model of a head that generates does."""
    config = {**tiny_config(model_type), **changes}
    first = tfx_core.new_model(model_type, head=head, seed=0, **config)
    for name in (None, "is_decoder", "is_encoder_decoder"):
        own = {} if name is None else {name: getattr(first.config, name)}
        made = tfx_core.new_model(model_type, head=head, seed=0, **{**config, **own}).eval()
        assert made.config.is_encoder_decoder == first.config.is_encoder_decoder
        assert len(generated(made, prompts(made))) == len(LENGTHS)


def negative_prompts(model: Model) -> dict[str, Tensor]:
    """Ragged ones, padded on the right."""
    ids = random_ids(model.config.model_type, len(LENGTHS), 4, seed=8)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]])
    return {"negative_prompt_ids": ids * mask, "negative_prompt_attention_mask": mask}


@pytest.mark.parametrize("search", [{}, {"num_beams": 3}, {"do_sample": True, "seeds": [3, 4, 5]}], ids=str)
@pytest.mark.parametrize("given", [True, False])
def test_guidance_is_worked_out_of_two_calls(model: Model, search: dict[str, Any], given: bool) -> None:
    """Each new token's scores are those of the prompt, led away from those of the negative prompt."""
    inputs, scale, begin = prompts(model), 1.5, start(model)
    negative = negative_prompts(model) if given else {}
    output = model.generate(
        **inputs, **negative, **search, guidance_scale=scale, max_new_tokens=4, eos_token_id=None, pad_token_id=0,
        decoder_start_token_id=begin, output_scores=True, return_dict_in_generate=True, top_k=0,
    )  # fmt: skip
    for row, length in enumerate(LENGTHS if exact(model) else ()):
        ids = inputs["input_ids"][row : row + 1, -length:]
        other = negative["negative_prompt_ids"][row : row + 1, : (4, 2, 1)[row]] if given else ids[:, -1:]
        for step in range(4):
            new = output.sequences[row : row + 1, -4:][:, :step]
            wanted, unwanted = (logits_after(model, inputs, row, read, new).log_softmax(-1) for read in (ids, other))
            expected = (unwanted + scale * (wanted - unwanted)).log_softmax(-1)
            place = row if output.beam_indices is None else output.beam_indices[row, step]
            found = output.scores[step][place].log_softmax(-1)
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def logits_after(model: Model, inputs: dict[str, Any], row: int, read: Tensor, new: Tensor) -> Tensor:
    """What a call gives after a row's prompt and new tokens, or its source and the text so far."""
    own = {name: inputs[name][row : row + 1] for name in OF_EACH_ROW if name in inputs}
    if model.config.is_encoder_decoder:
        begin = torch.tensor([[start(model)]])
        own |= {"input_ids": read, "decoder_input_ids": torch.cat((begin, new), dim=1)}
    else:
        own["input_ids"] = torch.cat((read, new), dim=1)
    with torch.no_grad():
        return next_logits(model, own).float()


def test_a_pickled_model_generates_the_same(model: Model) -> None:
    again = pickle.loads(pickle.dumps(model))
    assert generated(again, prompts(model)) == generated(model, prompts(model))
    for after in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):  # it has written
        assert generated(after, prompts(model)) == generated(model, prompts(model))


def test_choices_are_no_prompts(model: Model) -> None:
    if model.head_name in CHOICE_HEADS:
        with pytest.raises(InputError, match="input_ids: must be token ids"):
            model.generate(torch.ones(1, 2, 3, dtype=torch.long))


def test_defaults_can_be_replaced_and_are_saved(model: Model, tmp_path: Path) -> None:
    inputs = prompts(model)
    own = {"eos_token_id": [51], "pad_token_id": 0, "decoder_start_token_id": start(model), "max_new_tokens": 3}
    expected = model.generate(**inputs, **own)
    for given in (own, GenerationOptions(**own)):
        assert torch.equal(model.generate(**inputs, generation_config=given), expected)
        model.generation_config = given
        assert torch.equal(model.generate(**inputs), expected)
        model.save_pretrained(tmp_path)
        again = tfx_core.load_model(tmp_path)
        assert torch.equal(again.generate(**inputs), expected)
    again.generation_config.max_new_tokens = 2
    assert again.generate(**inputs).shape[1] == expected.shape[1] - 1
    again.save_pretrained(tmp_path)
    assert tfx_core.load_model(tmp_path).generation_config == again.generation_config
    file = tmp_path / "generation_config.json"
    file.write_text('{"top_p": 7}')
    with pytest.raises(ConfigError, match=rf"{tmp_path.name}/generation_config\.json: top_p=7"):
        tfx_core.load_model(tmp_path).generate(**inputs)
    with pytest.raises(InputError, match="top_p=7: must be a number from 0 to 1"):
        model.generation_config = {"top_p": 7}
    with pytest.raises(InputError, match="generation_config=3: must be a GenerationConfig"):
        model.generation_config = 3
