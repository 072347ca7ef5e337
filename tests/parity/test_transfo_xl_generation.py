"""Transformer-XL writes what the reference writes, token for token; it remembers what the reference remembers."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

import tfx_core
from tests.cases.transfo_xl import mend_positions
from tests.models.tiny import random_ids, tiny_config
from tfx_core.model.model import Model

# with tied tables a random model repeats its last word
TINY = {**tiny_config("transfo-xl"), "pad_token_id": 0, "eos_token_id": None, "tie_word_embeddings": False}
CONFIGS: dict[str, dict[str, Any]] = {
    "standard": {},
    "shortest memory": {"mem_len": 1},
    "long memory": {"mem_len": 40},
    "all that is remembered": {"same_length": False},
    "no memory": {"mem_len": 0, "same_length": False},
    "norms first": {"pre_lnorm": True},
    "shared biases": {"untie_r": False},
    "one width": {"div_val": 1},
    "clamped": {"clamp_len": 3},
}


class Writing(transformers.TransfoXLLMHeadModel, transformers.GenerationMixin):  # type: ignore[misc]
    """The reference's model, which lost ``generate`` when models no longer inherited it."""

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, past_key_values: Any = None, mems: Any = None, **given: Any
    ) -> dict[str, Any]:
        """Without the cache that ``generate`` makes for other models; with the memory it was given, if any."""
        if isinstance(past_key_values, list):
            return {"input_ids": input_ids[:, -1:], "mems": past_key_values}
        return {"input_ids": input_ids, "mems": mems}

    @staticmethod
    def _reorder_cache(mems: Any, beam_idx: Tensor) -> Any:
        """Of a memory alone: without one, ``generate`` asks for its own cache, which is empty, to be reordered."""
        if isinstance(mems, list):
            return transformers.TransfoXLLMHeadModel._reorder_cache(mems, beam_idx)
        return mems


def models(folder: Path, **changes: Any) -> tuple[Any, Model]:
    """The reference's model, its parameters perturbed so that positions and the order of tokens matter, and ours."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        theirs = Writing(transformers.TransfoXLConfig(**{**TINY, **changes}))
        with torch.no_grad():
            for name, parameter in theirs.named_parameters():
                # what a token sees must outweigh what is the same for all, and words of all clusters be as likely
                scale = 0.02 if name.endswith(".bias") else 0.3
                parameter.add_(torch.randn_like(parameter) * scale)
    mend_positions(theirs)
    theirs._tied_weights_keys = [*theirs._tied_weights_keys, r"layers\.\d+\.dec_attn\.r_[rw]_bias"]
    theirs.eval().save_pretrained(folder)
    values = (folder / "config.json").read_text()
    (folder / "config.json").write_text(values.replace('"Writing"', '"TransfoXLLMHeadModel"'))
    return theirs, tfx_core.load_model(folder)


def written(model: Any, ids: Tensor, **options: Any) -> Tensor:
    """The new tokens of both libraries' ``generate``."""
    with torch.no_grad():
        sequences: Tensor = model.generate(ids, **{"max_new_tokens": 16, "do_sample": False, **options})
    return sequences[:, ids.shape[1] :]


@pytest.fixture(scope="module", params=CONFIGS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Model]:
    return models(tmp_path_factory.mktemp("transfo_xl"), **CONFIGS[request.param])


@pytest.mark.parametrize("length", [1, 2, 9])
def test_greedy(pair: tuple[Any, Model], length: int) -> None:
    theirs, ours = pair
    ids = random_ids("transfo-xl", 3, length, seed=length)
    expected = written(theirs, ids)
    # a word that sees only itself is soon followed by those that followed it before
    least = 2 if theirs.config.mem_len == 1 else 3
    assert len(expected.unique()) >= least, "a model that repeats itself shows nothing"
    assert torch.equal(written(ours, ids), expected)


def test_beams(pair: tuple[Any, Model]) -> None:
    theirs, ours = pair
    ids = random_ids("transfo-xl", 2, 5, seed=9)
    beams = {"num_beams": 3, "num_return_sequences": 2, "length_penalty": 0.7}
    assert torch.equal(written(ours, ids, **beams), written(theirs, ids, **beams))


@pytest.mark.parametrize("slots", [2, 6])
def test_after_a_memory(pair: tuple[Any, Model], slots: int) -> None:
    theirs, ours = pair
    if theirs.config.mem_len == 0:
        slots = 0  # nothing that it would go on with
    ids = random_ids("transfo-xl", 2, 5, seed=3)
    with torch.no_grad():
        mems = theirs(random_ids("transfo-xl", 2, 8, seed=5)).mems
    mems = None if mems is None else [each[-slots:] for each in mems]
    given = {} if mems is None else {"mems": mems}
    assert torch.equal(written(ours, ids, **given), written(theirs, ids, **given))


def test_scores(pair: tuple[Any, Model]) -> None:
    theirs, ours = pair
    ids = random_ids("transfo-xl", 2, 6, seed=1)
    options = {"max_new_tokens": 12, "return_dict_in_generate": True, "output_logits": True, "do_sample": False}
    with torch.no_grad():
        expected, mine = theirs.generate(ids, **options).logits, ours.generate(ids, **options).logits
    for step, logits in enumerate(expected):
        torch.testing.assert_close(mine[step], logits, rtol=1e-4, atol=2e-5)


def test_segments(pair: tuple[Any, Model]) -> None:
    """Memory over segments of any length, and the losses in them."""
    theirs, ours = pair
    theirs.crit.keep_order = True
    mems, remembered = None, None
    with torch.no_grad():
        for number, length in enumerate((4, 1, 7, 2, 12, 3)):
            ids = random_ids("transfo-xl", 3, length, seed=number)
            expected, mine = theirs(ids, mems=mems), ours(ids, mems=remembered)
            torch.testing.assert_close(mine.logits, expected.prediction_scores, rtol=1e-4, atol=2e-5)
            if length > 1:
                losses = theirs(ids, mems=mems, labels=ids).losses
                torch.testing.assert_close(ours(ids, mems=remembered, labels=ids).losses, losses, rtol=1e-4, atol=2e-5)
            mems, remembered = expected.mems, mine.get("mems")
            if mems is None:
                assert remembered is None
                continue
            assert remembered is not None
            for layer, states in enumerate(mems):
                torch.testing.assert_close(remembered[layer], states, rtol=1e-4, atol=2e-5)
