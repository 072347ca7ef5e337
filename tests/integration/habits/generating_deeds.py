"""What is given to ``generate``, and set in a model's ``generation_config``."""

import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import tfx_core
from tests.integration.habits.calling_deeds import check
from tests.integration.habits.loading_deeds import imported
from tests.integration.habits.world import World
from tests.seq2seq import tongues
from tfx_core.errors import InputError
from tfx_core.habits.generating import COMPUTING

NEW = 4


def gpt2(world: World) -> Any:
    model = world.model("gpt2", "causal-lm")
    model.generation_config.eos_token_id = None
    return model


def texts(world: World, model: Any = None, **options: Any) -> Any:
    """What a model makes of two padded prompts."""
    batch = world.tokenizer("gpt2")(["one text", "another"], padding=True, padding_side="left", return_tensors="pt")
    model = gpt2(world) if model is None else model
    return model.generate(**batch, **{"max_new_tokens": NEW, "pad_token_id": 0, **options})


def same(**options: Any) -> Callable[[World], None]:
    """Options that change nothing."""
    return lambda world: check(torch.equal(texts(world, **options), texts(world)))


def other(**options: Any) -> Callable[[World], None]:
    """Options that change something."""
    return lambda world: check(not torch.equal(texts(world, **options), texts(world)))


def shaped(rows: int, new: int, **options: Any) -> Callable[[World], None]:
    """Options that decide how many texts there are, and how long they are."""
    return lambda world: check(texts(world, **options).shape == (rows, texts(world).shape[1] - NEW + new))


def asked(**options: Any) -> Callable[[World], object]:
    """Options that are told."""
    return lambda world: texts(world, **options)


def set_fields(world: World) -> None:
    model = gpt2(world)
    model.generation_config.max_new_tokens = 5
    assert model.generate(torch.tensor([[3, 4]])).shape == (1, 7)


def inputs(world: World) -> None:
    for name, head in (("gpt2", "causal-lm"), ("t5", "conditional-generation")):
        model, ids = world.model(name, head), torch.tensor([[3, 4, 5]])
        assert torch.equal(model.generate(inputs=ids), model.generate(input_ids=ids))


def given_config(world: World) -> None:
    for config in ({"num_beams": 2}, tfx_core.GenerationConfig(num_beams=2)):
        assert torch.equal(texts(world, generation_config=config), texts(world, num_beams=2))


def model_defaults(world: World) -> None:
    model = gpt2(world)
    model.generation_config = {"num_beams": 3, "eos_token_id": None}
    given = texts(world, model, use_model_defaults=False)
    assert torch.equal(given, texts(world, model, num_beams=1))


def outputs(world: World) -> None:
    options = {"return_dict_in_generate": True, "output_scores": True, "output_logits": True}
    output = texts(world, **options)
    assert len(output.scores) == len(output.logits) == NEW
    assert torch.equal(output["sequences"], texts(world))


def transitions(world: World) -> None:
    model = gpt2(world)
    for beams in (1, 2):
        output = texts(world, model, num_beams=beams, return_dict_in_generate=True, output_scores=True)
        scores = model.compute_transition_scores(output.sequences, output.scores, output.beam_indices)
        assert scores.shape == (2, NEW)
        if beams > 1:
            torch.testing.assert_close(scores.sum(1) / NEW, output.sequences_scores)


def forced(world: World) -> None:
    assert all([7, 8] in [row[i : i + 2] for i in range(len(row))] for row in
               texts(world, force_words_ids=[[7, 8]], num_beams=3).tolist())  # fmt: skip


def banned(world: World) -> None:
    first = int(texts(world)[0, -NEW])
    assert first not in texts(world, bad_words_ids=[[first]])[:, -NEW:]


def negative(world: World) -> None:
    ids = torch.tensor([[7, 8, 9]] * 2)
    plain = texts(world, guidance_scale=3.0)
    assert not torch.equal(texts(world, guidance_scale=3.0, negative_prompt_ids=ids), plain)


def negative_mask(world: World) -> None:
    ids, mask = torch.tensor([[7, 8, 0], [7, 8, 0]]), torch.tensor([[1, 1, 0]] * 2)
    options = {"guidance_scale": 3.0, "negative_prompt_ids": ids}
    short = texts(world, guidance_scale=3.0, negative_prompt_ids=ids[:, :2])
    assert torch.equal(texts(world, **options, negative_prompt_attention_mask=mask), short)


def only_seven(input_ids: Tensor, scores: Tensor) -> Tensor:
    return torch.full_like(scores, -1e9).index_fill(1, torch.tensor([7]), 0.0)


def stopped(world: World) -> None:
    length = texts(world).shape[1] - NEW

    def after_two(input_ids: Tensor, scores: Any, **others: Any) -> bool:
        return input_ids.shape[1] >= length + 2

    assert texts(world, stopping_criteria=[after_two]).shape[1] == length + 2
    assert torch.equal(texts(world, stopping_criteria=None), texts(world))


def processed(world: World) -> None:
    assert bool((texts(world, logits_processor=[only_seven])[:, -NEW:] == 7).all())
    assert torch.equal(texts(world, logits_processor=None), texts(world))


class Collecting:
    """A streamer as there."""

    def __init__(self) -> None:
        self.values: list[Tensor] = []

    def put(self, value: Tensor) -> None:
        self.values.append(value)

    def end(self) -> None:
        pass


def streamed(world: World) -> None:
    streamer = Collecting()
    texts(world, streamer=streamer)
    assert len(streamer.values) == 1 + NEW


def one_text(world: World, streamer: Any) -> str:
    """The text of the new tokens, which a streamer follows."""
    ids = torch.tensor([[70, 71]])
    new = gpt2(world).generate(ids, max_new_tokens=NEW, streamer=streamer)[0, 2:].tolist()
    return str(world.tokenizer("gpt2").decode(new, skip_special_tokens=True))


def text_streamer(world: World) -> None:
    pieces: list[str] = []

    class Streamer(tfx_core.TextStreamer):
        def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
            pieces.append(text)

    streamer = Streamer(world.tokenizer("gpt2"), skip_prompt=True, skip_special_tokens=True)
    assert one_text(world, streamer) == "".join(pieces)


def iterator_streamer(world: World) -> None:
    streamer = imported("TextIteratorStreamer")(world.tokenizer("gpt2"), skip_prompt=True, skip_special_tokens=True)  # type: ignore[operator]
    assert one_text(world, streamer) == "".join(streamer)


def stop_strings(world: World) -> None:
    tokenizer, ids = world.tokenizer("gpt2"), torch.tensor([[70, 71]])
    first = gpt2(world).generate(ids, max_new_tokens=NEW)[0, 2:3].tolist()
    found = gpt2(world).generate(
        ids, max_new_tokens=NEW, stop_strings=tokenizer.decode(first), tokenizer=tokenizer, pad_token_id=0
    )
    assert found.shape == (1, 3)


def training(world: World) -> None:
    model = world.model("gpt2", "causal-lm", resid_pdrop=0.5).train()
    torch.manual_seed(0)
    assert len({tuple(model.generate(torch.tensor([[70, 71]]), max_new_tokens=8)[0].tolist()) for _ in range(9)}) > 1


def read_field(world: World) -> None:
    model = world.model("gpt2", "causal-lm")
    assert model.generation_config.eos_token_id == model.config.eos_token_id


def saved(world: World) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tfx_core.GenerationConfig(num_beams=2).save_pretrained(folder)
        assert tfx_core.GenerationConfig.from_pretrained(Path(folder)).num_beams == 2


def own_config(world: World) -> None:
    config = tfx_core.GenerationConfig(max_new_tokens=5)
    assert gpt2(world).generate(torch.tensor([[3, 4]]), config).shape == (1, 7)


def updated(world: World) -> None:
    config = gpt2(world).generation_config
    config.update(num_beams=2)
    assert config.to_dict()["num_beams"] == 2


def told_in_words(world: World) -> None:
    config = tfx_core.GenerationConfig.from_dict({"num_beams": 2, "temperature": 1.0, "watermarking_config": None})
    assert config.to_diff_dict() == {"num_beams": 2}
    assert tfx_core.GenerationConfig.from_dict(json.loads(config.to_json_string())).num_beams == 2


def validated(world: World) -> None:
    config = tfx_core.GenerationConfig(num_beams=3, num_beam_groups=2, diversity_penalty=0.5)
    try:
        config.validate()
    except InputError:
        return
    raise AssertionError


def without_effect(world: World, name: str) -> None:
    """A row says nothing where its value is harmless."""
    values = {"cache_implementation": "dynamic", "return_legacy_cache": False, "synced_gpus": False}
    same(**{name: values.get(name, 3)})(world)


def both_lengths(world: World) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        shaped(2, 3, max_new_tokens=3, max_length=90)(world)
    assert [str(each.message) for each in told] == ["max_length=90 has no effect beside max_new_tokens=3"]


def into_a_language(world: World) -> None:
    with tempfile.TemporaryDirectory() as parent, tfx_core.register(tongues.Plugin(), name="tongues"):
        folder = tongues.save(Path(parent) / "model", "spoken")
        model, tokenizer = tfx_core.load_model(folder), tfx_core.load_tokenizer(folder)
        enc = tokenizer("a dog", src_lang="en_XX", return_tensors="pt")
        found = model.generate(**enc, forced_bos_token_id=tokenizer.convert_tokens_to_ids("de_DE"), max_new_tokens=4)
        assert found[0, 1] == tongues.IDS["de_DE"]
        assert torch.equal(model.generate(**enc, **tokenizer.asking_for("de_DE"), max_new_tokens=4), found)


OPTIONS: dict[str, Callable[[World], object]] = {
    "generate(ids, max_new_tokens=5)": lambda world: check(
        gpt2(world).generate(torch.tensor([[3, 4]]), max_new_tokens=5).shape == (1, 7)
    ),
    "inputs=": inputs,
    "model.generate(batch)": lambda world: gpt2(world).generate(world.batch("gpt2")),
    "model.generate(text)": lambda world: gpt2(world).generate("text"),
    "model.generate([[1, 2]])": lambda world: gpt2(world).generate([[1, 2]]),
    "generation_config=": given_config,
    "model.generate(ids, generation_config)": own_config,
    "use_model_defaults=": model_defaults,
    "max_length=": lambda world: check(gpt2(world).generate(torch.tensor([[3, 4]]), max_length=9).shape == (1, 9)),
    "max_new_tokens=": shaped(2, 3, max_new_tokens=3),
    "max_new_tokens=, max_length=": both_lengths,
    'forced_bos_token_id=tokenizer.convert_tokens_to_ids("de_DE")': into_a_language,
    "use_cache=": same(use_cache=False),
    "temperature=": shaped(2, NEW, do_sample=True, temperature=0.7),
    "do_sample=True, temperature=0": asked(do_sample=True, temperature=0),
    "num_return_sequences=": shaped(6, NEW, do_sample=True, num_return_sequences=3),
    "num_beams=": shaped(4, NEW, num_beams=2, num_return_sequences=2),
    "renormalize_logits=": same(renormalize_logits=True),
    "bad_words_ids=": banned,
    "force_words_ids=": forced,
    "prompt_lookup_num_tokens=": same(prompt_lookup_num_tokens=3),
    "max_matching_ngram_size=": same(prompt_lookup_num_tokens=3, max_matching_ngram_size=1),
    "return_dict_in_generate=True, output_scores=True, output_logits=True": outputs,
    "model.compute_transition_scores(…)": transitions,
    "top_h=": shaped(2, NEW, do_sample=True, top_h=0.4),
    "guidance_scale=": other(guidance_scale=5.0),
    "negative_prompt_ids=": negative,
    "negative_prompt_attention_mask=": negative_mask,
    "prompt_ignore_length=": asked(prompt_ignore_length=3),
    "logits_processor=": processed,
    "stopping_criteria=": stopped,
    "prefix_allowed_tokens_fn=": lambda world: check(
        bool((texts(world, prefix_allowed_tokens_fn=lambda row, ids: [7])[:, -NEW:] == 7).all())
    ),
    "streamer=": streamed,
    "streamer=print": asked(streamer=print),
    "TextStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)": text_streamer,
    "TextStreamer.on_finalized_text": text_streamer,
    "stop_strings=": stop_strings,
    "model.train().generate(…)": training,
    "watermarking_config=": asked(watermarking_config={"bias": 2.0}),
    "dola_layers=": asked(dola_layers="high"),
    "token_healing=": same(token_healing=False),
    "assistant_early_exit=": asked(assistant_early_exit=2),
    "assistant_ensemble_weight=": asked(assistant_ensemble_weight=0.5),
    "speculation_type=": asked(speculation_type="eagle"),
    "use_mtp=": same(use_mtp=False),
    "custom_generate=": asked(custom_generate="somebody/generate"),
    **{each.theirs: lambda world, name=each.name: without_effect(world, name) for each in COMPUTING},
}
CONFIG: dict[str, Callable[[World], object]] = {
    "model.generation_config.max_new_tokens = 5": set_fields,
    "model.generation_config.eos_token_id": read_field,
    "GenerationConfig(max_new_tokens=5)": own_config,
    "GenerationConfig.from_pretrained(folder)": saved,
    "generation_config.update(num_beams=2)": updated,
    "GenerationConfig.from_dict(values)": told_in_words,
    "generation_config.to_dict()": updated,
    "generation_config.to_diff_dict()": told_in_words,
    "generation_config.to_json_string()": told_in_words,
    "generation_config.validate()": validated,
    "generation_config.save_pretrained(folder)": saved,
}

DEEDS: dict[tuple[str, str], Callable[[World], object]] = {
    **{("generate", theirs): deed for theirs, deed in OPTIONS.items()},
    **{("generation_config", theirs): deed for theirs, deed in CONFIG.items()},
    ("tfx_core", "GenerationConfig"): lambda world: imported("GenerationConfig"),
    ("tfx_core", "TextStreamer"): lambda world: imported("TextStreamer"),
    ("tfx_core", "TextIteratorStreamer"): iterator_streamer,
    ("tfx_core", "LogitsProcessorList"): lambda world: imported("LogitsProcessorList"),
    ("tfx_core", "LogitsProcessor"): lambda world: imported("LogitsProcessor"),
    ("tfx_core", "StoppingCriteriaList"): lambda world: imported("StoppingCriteriaList"),
    ("tfx_core", "StoppingCriteria"): lambda world: imported("StoppingCriteria"),
}
