"""Our models generate the reference's tokens: every strategy that it still has, with and without padding."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.cases import case_of
from tfx_core.model.model import Model
from tfx_testing.cases import Variant
from tfx_testing.parity.case import Case
from tfx_testing.parity.reference import reference_model


def own_positions(model: Any) -> None:
    """In the reference generation counts positions from 0, a call of the same model from its first one."""
    model.register_forward_pre_hook(
        lambda module, given, named: (given, {**named, "position_ids": None}), with_kwargs=True
    )


ENCODERS: dict[str, Any] = {"bert": None, "electra": None, "roberta": own_positions}
"""Those that can also be decoders -> what mends the reference."""
BY_COLUMN = {*ENCODERS, "ctrl", "openai-gpt"}
"""Those to whose left-padded texts the reference gives the wrong positions: each text is compared alone."""
DECODER: dict[str, Any] = {"is_decoder": True, "eos_token_id": 3}
GENERATORS = {
    **{
        name: Case(case_of(name), Variant("decoder", DECODER, patch=patch), "causal-lm")
        for name, patch in ENCODERS.items()
    },
    "ctrl": Case(case_of("ctrl"), Variant("standard", {"eos_token_id": 3, "initializer_range": 0.1}), "causal-lm"),
    "gpt2": Case(case_of("gpt2"), Variant("standard", {"eos_token_id": 3}), "causal-lm"),
    "openai-gpt": Case(case_of("openai-gpt"), Variant("standard", {"eos_token_id": 3}), "causal-lm"),
    "bart": Case(case_of("bart"), Variant("standard", {"forced_eos_token_id": 2}), "conditional-generation"),
    "mt5": Case(case_of("mt5"), Variant("standard", {"num_decoder_layers": 2}), "conditional-generation"),
    "pegasus": Case(case_of("pegasus"), Variant("standard", {"forced_eos_token_id": 1}), "conditional-generation"),
    "t5": Case(case_of("t5"), Variant("standard", {"num_decoder_layers": 2}), "conditional-generation"),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "greedy with processors": {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2, "min_new_tokens": 6},
    "beams": {"num_beams": 4},
    "short beams": {"num_beams": 4, "length_penalty": -1.0, "num_return_sequences": 3},
    "long beams": {"num_beams": 3, "length_penalty": 2.0, "early_stopping": "never"},
    "early beams": {"num_beams": 3, "early_stopping": True, "num_return_sequences": 2},
    "beams with processors": {
        "num_beams": 3,
        "no_repeat_ngram_size": 2,
        "forced_eos_token_id": 2,
        "bad_words_ids": [[7]],
    },
    "forced begin": {"num_beams": 2, "forced_bos_token_id": 9},
}


@pytest.fixture(scope="module", params=list(GENERATORS))
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Model]:
    return sharpened(GENERATORS[request.param], tmp_path_factory.mktemp("generator"), seed=4)


def sharpened(case: Case, folder: Path, seed: int) -> tuple[Any, Model]:
    """The reference's model, whose texts end at different steps for its parameters are larger, and ours of it."""
    reference = reference_model(case, seed=seed)
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter.mul_(1.6)
    reference.save_pretrained(folder)
    return reference, tfx_core.load_model(folder)


def prompts(model: Model, *, padded: bool) -> dict[str, Tensor]:
    """Three texts; the padding of a source is on the right, that of a prompt on the left."""
    ids = torch.randint(5, 50, (3, 6), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    if padded:
        on_the_right = model.config.is_encoder_decoder
        mask[1, 4:] = mask[2, 2:] = 0
        mask = mask if on_the_right else mask.flip(-1)
    pad = model.config.pad_token_id or 0
    return {"input_ids": ids.masked_fill(mask == 0, pad), "attention_mask": mask}


def settings_of(model: Model) -> dict[str, Any]:
    """What all texts have in common.

    A padding token in a text would stand nowhere in the reference's RoBERTa, and in place of a padding 0 its beams are
    filled up with ends.
    """
    return {"max_new_tokens": 12, "pad_token_id": 4, "suppress_tokens": [model.config.pad_token_id or 0]}


@pytest.mark.parametrize("padded", [False, True], ids=["alone", "padded"])
@pytest.mark.parametrize("name", list(OPTIONS))
def test_tokens_are_the_references(pair: tuple[Any, Model], name: str, padded: bool) -> None:
    reference, model = pair
    if padded and model.config.model_type in BY_COLUMN:
        inputs = prompts(model, padded=True)
        rows = [{key: value[row : row + 1, mask] for key, value in inputs.items()}
                for row, mask in enumerate(inputs["attention_mask"].bool())]  # fmt: skip
    else:
        rows = [prompts(model, padded=padded)]
    options = {**settings_of(model), **OPTIONS[name]}
    for inputs in rows:
        ours = model.generate(**inputs, **options)
        theirs = reference.generate(**inputs, **options, use_cache=model.config.model_type not in BY_COLUMN)
        assert ours.tolist() == theirs.tolist()


def test_a_padded_batch_gives_each_text_what_it_gets_alone(pair: tuple[Any, Model]) -> None:
    _, model = pair
    inputs = prompts(model, padded=True)
    options = {"max_new_tokens": 10, "pad_token_id": 0, "num_beams": 3}
    together = model.generate(**inputs, **options)
    for row, mask in enumerate(inputs["attention_mask"].bool()):
        alone = model.generate(**{key: value[row : row + 1, mask] for key, value in inputs.items()}, **options)[0]
        found = together[row] if model.config.is_encoder_decoder else together[row, int((~mask).sum()) :]
        length = min(len(alone), len(found))
        assert found[:length].tolist() == alone[:length].tolist()
        assert not found[length:].any()


@pytest.mark.parametrize("options", [{}, {"num_beams": 3, "num_return_sequences": 2}], ids=["greedy", "beams"])
def test_token_types_are_continued_as_in_the_reference(pair: tuple[Any, Model], options: dict[str, Any]) -> None:
    reference, model = pair
    if model.config.is_encoder_decoder or model.config.model_type == "ctrl":  # there the reference leaves them out
        return
    ids = prompts(model, padded=False)["input_ids"]
    for types in (ids % 2, 1 - ids % 2):
        given = {"input_ids": ids, "token_type_ids": types, "attention_mask": torch.ones_like(ids)}
        settings = {**settings_of(model), **options}
        ours = model.generate(**given, **settings)
        theirs = reference.generate(**given, **settings, use_cache=model.config.model_type not in BY_COLUMN)
        assert ours.tolist() == theirs.tolist()
        assert ours.tolist() != model.generate(ids, **settings).tolist()
