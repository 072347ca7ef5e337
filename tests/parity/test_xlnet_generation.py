"""XLNet writes what the reference writes, token for token, with and without what is kept between tokens."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

import tfx_core
from tests.cases.xlnet import add_masks
from tests.models.tiny import random_ids, tiny_config
from tfx_core.errors import InputError
from tfx_core.model.model import Model

TINY = {**tiny_config("xlnet"), "mem_len": None, "bos_token_id": None, "eos_token_id": None, "pad_token_id": 0}
CONFIGS: dict[str, dict[str, Any]] = {
    "standard": {},
    "short memory": {"mem_len": 6},
    "shortest memory": {"mem_len": 1},
    "as long as what is read again": {"mem_len": 3},
    "clamped": {"clamp_len": 3},
    "causal": {"attn_type": "uni"},
    "not remembering": {"use_mems_eval": False},
}


def models(folder: Path, **changes: Any) -> tuple[Any, Model]:
    """The reference's model, its parameters perturbed so that positions and the order of tokens matter, and ours."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        theirs = transformers.XLNetLMHeadModel(transformers.XLNetConfig(**{**TINY, **changes}))
        with torch.no_grad():
            for name, parameter in theirs.named_parameters():
                # attention must outweigh the vector that all predictions begin with
                scale = 0.8 if "rel_attn" in name and "norm" not in name else 0.1
                parameter.add_(torch.randn_like(parameter) * scale)
    add_masks(theirs)
    theirs.eval().save_pretrained(folder)
    return theirs, tfx_core.load_model(folder)


def written(model: Any, ids: Tensor, **options: Any) -> Tensor:
    """The new tokens of both libraries' ``generate``."""
    with torch.no_grad():
        sequences: Tensor = model.generate(ids, **{"max_new_tokens": 14, "do_sample": False, **options})
    return sequences[:, ids.shape[1] :]


@pytest.fixture(scope="module", params=CONFIGS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Model]:
    return models(tmp_path_factory.mktemp("xlnet"), **CONFIGS[request.param])


@pytest.mark.parametrize("length", [1, 2, 7])
@pytest.mark.parametrize("options", [{}, {"use_mems": False}, {"use_mems": True}], ids=str)
def test_greedy(pair: tuple[Any, Model], length: int, options: dict[str, Any]) -> None:
    theirs, ours = pair
    ids = random_ids("xlnet", 3, length, seed=length)
    expected = written(theirs, ids, **options)
    assert len(expected.unique()) > 3, "a model that repeats itself shows nothing"
    assert torch.equal(written(ours, ids, **options), expected)


@pytest.mark.parametrize("options", [{}, {"use_mems": False}], ids=str)
def test_beams(pair: tuple[Any, Model], options: dict[str, Any]) -> None:
    theirs, ours = pair
    ids = random_ids("xlnet", 2, 5, seed=9)
    beams = {"num_beams": 3, "num_return_sequences": 2, **options}
    assert torch.equal(written(ours, ids, **beams), written(theirs, ids, **beams))


@pytest.mark.parametrize("options", [{}, {"use_mems": False}], ids=str)
def test_after_a_memory(pair: tuple[Any, Model], options: dict[str, Any]) -> None:
    theirs, ours = pair
    ids = random_ids("xlnet", 2, 5, seed=3)
    with torch.no_grad():
        mems = theirs(random_ids("xlnet", 2, 6, seed=5), use_mems=True).mems
    assert torch.equal(written(ours, ids, mems=mems, **options), written(theirs, ids, mems=mems, **options))


def test_scores(pair: tuple[Any, Model]) -> None:
    theirs, ours = pair
    ids = random_ids("xlnet", 2, 6, seed=1)
    options = {"max_new_tokens": 6, "return_dict_in_generate": True, "output_logits": True, "do_sample": False}
    with torch.no_grad():
        expected, mine = theirs.generate(ids, **options).logits, ours.generate(ids, **options).logits
    for step, logits in enumerate(expected):
        torch.testing.assert_close(mine[step], logits, rtol=1e-4, atol=2e-5)


def test_what_is_kept_differs_from_reading_all_again(tmp_path: Path) -> None:
    """Else the tests above could not tell the two apart."""
    _, ours = models(tmp_path)
    ids = random_ids("xlnet", 8, 6, seed=2)
    assert not torch.equal(written(ours, ids), written(ours, ids, use_mems=False))


def test_a_text_read_backwards_is_not_continued(tmp_path: Path) -> None:
    _, ours = models(tmp_path, bi_data=True)
    with pytest.raises(InputError, match="bi_data"):
        ours.generate(random_ids("xlnet", 2, 4), max_new_tokens=2)
