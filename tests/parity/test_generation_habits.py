"""What is made of the reference's own objects, its configs, processors, criteria and streamers, and of its options."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

import tfx_core
from tests.parity.test_generation_models import GENERATORS, prompts, sharpened
from tfx_core.generation import TextStreamer
from tfx_core.model.model import Model
from tfx_testing.byte_tokenizer import save_byte_tokenizer

BATCH, NEW = 3, 8
# 0 as the padding token is taken for none by the reference's beams
SEARCHES: dict[str, dict[str, Any]] = {
    "greedy": {}, "beams": {"num_beams": 3, "num_return_sequences": 2}, "sampled": {"do_sample": True, "top_k": 1},
}  # fmt: skip
RECORDED = Path(__file__).parents[1] / "core/generation/reference_options.json"


@pytest.fixture(scope="module", params=["gpt2", "bart", "t5"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Model]:
    return sharpened(GENERATORS[request.param], tmp_path_factory.mktemp("generator"), seed=6)


def begin(model: Model) -> int:
    """How many tokens stand before the new ones."""
    return 1 if model.config.is_encoder_decoder else 6


def processors(model: Model) -> dict[str, list[Any]]:
    length = begin(model)
    return {
        "repetition": [transformers.RepetitionPenaltyLogitsProcessor(1.8)],
        "repetition of new tokens": [transformers.RepetitionPenaltyLogitsProcessor(1.8, prompt_ignore_length=length)],
        "no repeats": [transformers.NoRepeatNGramLogitsProcessor(2)],
        "least new tokens": [transformers.MinNewTokensLengthLogitsProcessor(length, 5, 3)],
        "two": [transformers.SuppressTokensLogitsProcessor([5, 7, 9]), transformers.TemperatureLogitsWarper(0.4)],
        "prefixes": [transformers.PrefixConstrainedLogitsProcessor(lambda row, ids: [2, 8, 11, 20 + len(ids)], 1)],
    }


@pytest.mark.parametrize("search", SEARCHES)
def test_processors(pair: tuple[Any, Model], search: str) -> None:
    reference, model = pair
    inputs, changed = prompts(model, padded=True), []
    for name, given in processors(model).items():
        if name == "prefixes" and search == "beams":
            continue  # it counts beams itself
        options = {"max_new_tokens": NEW, "pad_token_id": 4, **SEARCHES[search]}
        ours = model.generate(**inputs, **options, logits_processor=given)
        theirs = reference.generate(**inputs, **options, logits_processor=transformers.LogitsProcessorList(given))
        assert ours.tolist() == theirs.tolist(), name
        changed.append(ours.tolist() != model.generate(**inputs, **options).tolist())
    assert sum(changed) > len(changed) // 2


class EveryRow(transformers.StoppingCriteria):
    """One answer for the whole batch."""

    def __call__(self, input_ids: Tensor, scores: Any, **others: Any) -> Any:
        return bool((input_ids[:, -1] > 20).any())


@pytest.mark.parametrize("search", SEARCHES)
def test_criteria(pair: tuple[Any, Model], search: str) -> None:
    reference, model = pair
    inputs = prompts(model, padded=True)
    criteria: dict[str, Any] = {
        "length": transformers.MaxLengthCriteria(begin(model) + 3),
        "tokens": transformers.EosTokenCriteria(list(range(10, 30))),
        "time": transformers.MaxTimeCriteria(3600.0),
        "every row": EveryRow(),
    }
    for name, given in criteria.items():
        if name == "every row" and search == "beams":
            continue  # its answer depends on which candidates it is shown
        # theirs of end tokens would take the place of the model's own
        options = {"max_new_tokens": NEW, "pad_token_id": 4, "eos_token_id": None, **SEARCHES[search]}
        given = transformers.StoppingCriteriaList([given])
        ours = model.generate(**inputs, **options, stopping_criteria=given)
        theirs = reference.generate(**inputs, **options, stopping_criteria=given)
        # its beams fill up with -1 where there is no end token
        assert ours.tolist() == theirs.masked_fill(theirs == -1, 4).tolist(), name


def test_configs(pair: tuple[Any, Model]) -> None:
    reference, model = pair
    inputs = prompts(model, padded=True)
    config = transformers.GenerationConfig(max_new_tokens=5, num_beams=2, repetition_penalty=1.4, pad_token_id=4)
    ours = model.generate(**inputs, generation_config=config)
    assert ours.tolist() == reference.generate(**inputs, generation_config=config, use_model_defaults=True).tolist()
    # in the place of the model's own, of which we keep the special tokens
    for name in ("eos_token_id", "decoder_start_token_id"):
        setattr(config, name, getattr(reference.generation_config, name))
    before, reference.generation_config = reference.generation_config, config
    model = tfx_core.load_model(model.origin)
    model.generation_config = config
    assert model.generate(**inputs).tolist() == reference.generate(**inputs).tolist()
    model.generation_config.num_beams = reference.generation_config.num_beams = 1
    assert model.generate(**inputs).tolist() == reference.generate(**inputs).tolist()
    reference.generation_config = before


def test_the_repetition_penalty_without_the_prompt(pair: tuple[Any, Model]) -> None:
    reference, model = pair
    inputs = prompts(model, padded=True)
    options = {"max_new_tokens": NEW, "pad_token_id": 4}
    given = [transformers.RepetitionPenaltyLogitsProcessor(1.8, prompt_ignore_length=begin(model))]
    theirs = reference.generate(**inputs, **options, logits_processor=given)
    ours = model.generate(**inputs, **options, repetition_penalty=1.8, repetition_penalty_ignores_prompt=True)
    assert ours.tolist() == theirs.tolist()


@pytest.mark.parametrize("pair", ["gpt2"], indirect=True)
@pytest.mark.parametrize("negative", [None, [[7, 8, 9, 10]] * BATCH], ids=["last token", "given"])
@pytest.mark.parametrize("scale", [0.0, 1.7, 3.0])
@pytest.mark.parametrize("search", ["greedy", "sampled"])
def test_guidance(pair: tuple[Any, Model], search: str, scale: float, negative: Any) -> None:
    """Of models with an encoder the reference gives the negative prompt to nobody: its calls fail."""
    reference, model = pair
    ids = prompts(model, padded=False)["input_ids"]
    options = {
        "max_new_tokens": NEW, "pad_token_id": 4, "guidance_scale": scale, "output_scores": True,
        "return_dict_in_generate": True, "eos_token_id": None, **SEARCHES[search],
        "negative_prompt_ids": None if negative is None else torch.tensor(negative),
    }  # fmt: skip
    ours = model.generate(ids, **options)
    theirs = reference.generate(ids, **options, attention_mask=torch.ones_like(ids))
    assert ours.sequences.tolist() == theirs.sequences.tolist()
    torch.testing.assert_close(ours.scores, theirs.scores, rtol=1e-3, atol=1e-3)
    # what is sampled from
    drawn = {**options, "do_sample": True, "top_k": 7, "top_p": 0.9, "temperature": 0.8, "max_new_tokens": 1}
    ours, theirs = model.generate(ids, **drawn), reference.generate(ids, **drawn, attention_mask=torch.ones_like(ids))
    torch.testing.assert_close(ours.scores, theirs.scores, rtol=1e-3, atol=1e-3)


SPECIAL = {"eos_token": "[EOS]", "pad_token": "[EOS]"}


@pytest.mark.parametrize("pair", ["gpt2"], indirect=True)
def test_streamers_of_either_with_our_tokenizer(pair: tuple[Any, Model], tmp_path: Path, capsys: Any) -> None:
    _, model = pair
    save_byte_tokenizer(tmp_path, ("[EOS]",), SPECIAL)
    tokenizer = tfx_core.load_tokenizer(tmp_path)
    ids = prompts(model, padded=False)["input_ids"][:1]
    wanted = tokenizer.decode(model.generate(ids, max_new_tokens=NEW)[0, 6:].tolist(), skip_special_tokens=True)
    for kind in (TextStreamer, transformers.TextStreamer):
        model.generate(ids, max_new_tokens=NEW, streamer=kind(tokenizer, skip_prompt=True, skip_special_tokens=True))
        assert capsys.readouterr().out == wanted + "\n"
    streamer = transformers.TextIteratorStreamer(tokenizer, skip_prompt=True, timeout=10, skip_special_tokens=True)
    model.generate(ids, max_new_tokens=NEW, streamer=streamer)
    assert "".join(streamer) == wanted


def test_fields_are_those_that_were_recorded() -> None:
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))[f"transformers {transformers.__version__}"]
    assert set(recorded.split()) == set(vars(transformers.GenerationConfig())) - {"_commit_hash"}
