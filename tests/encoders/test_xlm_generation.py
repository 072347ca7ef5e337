"""How XLM and FlauBERT write: a mask behind the text is read for each token, in the language of the last one."""

import pytest
import torch
from torch import Tensor

from tests.models.labelled import tiny_model
from tests.models.tiny import perturbed, random_ids
from tfx_core.errors import InputError
from tfx_core.model import Model

LENGTHS, NEW = (6, 1, 4), 7


@pytest.fixture(params=[("xlm", True), ("xlm", False), ("flaubert", True), ("flaubert", False)], ids=str)
def model(request: pytest.FixtureRequest) -> Model:
    return written_model(*request.param)


def written_model(name: str, causal: bool, **changes: object) -> Model:
    made = tiny_model(name, "causal-lm", causal=causal, lang_id=1, mask_token_id=4, **changes)
    return perturbed(made, 3, 0.4)


def step_by_step(model: Model, ids: Tensor, langs: Tensor) -> list[int]:
    """The new tokens by calls of the model with a mask behind the text."""
    new: list[int] = []
    for _ in range(NEW):
        ids, langs = torch.cat((ids, torch.tensor([[4]])), dim=1), torch.cat((langs, langs[:, -1:]), dim=1)
        with torch.no_grad():
            new.append(int(model(ids, langs=langs).logits[0, -1].argmax()))
        ids[0, -1] = new[-1]
    return new


def padded(side: str) -> tuple[Tensor, Tensor, Tensor]:
    """Prompts of several languages, and what is padding, in which nothing is said."""
    width = max(LENGTHS) + 2
    ids, mask = torch.zeros(2, len(LENGTHS), width, dtype=torch.long)
    for row, length in enumerate(LENGTHS):
        begin = 0 if side == "right" else width - length
        ids[row, begin : begin + length] = random_ids("xlm", 1, length, seed=row)[0]
        mask[row, begin : begin + length] = 1
    return ids, mask, ids % 3 * mask


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("spoken", [True, False])
def test_a_prompt_is_continued_in_its_last_language_as_step_by_step(model: Model, side: str, spoken: bool) -> None:
    ids, mask, langs = padded(side)
    given = {"langs": langs} if spoken else {}
    together = model.generate(ids, attention_mask=mask, max_new_tokens=NEW, eos_token_id=None, **given)
    for row, real in enumerate(mask.bool()):
        own = langs[row : row + 1, real] if spoken else torch.ones_like(ids[row : row + 1, real])
        assert together[row, -NEW:].tolist() == step_by_step(model, ids[row : row + 1, real], own)


def test_languages_change_what_is_written(model: Model) -> None:
    ids, mask, langs = padded("left")
    plain = model.generate(ids, attention_mask=mask, max_new_tokens=NEW)
    assert not torch.equal(model.generate(ids, attention_mask=mask, langs=langs, max_new_tokens=NEW), plain)


def test_types_that_a_tokenizer_gives_are_not_read(model: Model) -> None:
    ids = random_ids("xlm", 2, 5)
    plain = model.generate(ids, max_new_tokens=NEW)
    assert torch.equal(model.generate(ids, token_type_ids=ids % 2, max_new_tokens=NEW), plain)


def test_what_generation_cannot_use_is_refused(model: Model) -> None:
    ids = random_ids("xlm", 2, 4)
    with pytest.raises(InputError, match="lengths: generation has no use for it"):
        model.generate(ids, lengths=torch.tensor([4, 3]), max_new_tokens=2)
    with pytest.raises(InputError, match="langs: id 3 is not one of this model's, 0 to 2"):
        model.generate(ids, langs=torch.full_like(ids, 3), max_new_tokens=2)


def test_a_text_as_long_as_there_are_positions(model: Model) -> None:
    ids = random_ids("xlm", 1, 39)
    assert model.generate(ids, max_new_tokens=1).shape == (1, 40)
    with pytest.raises(InputError, match="a prompt of 40 tokens: the model has positions for 39"):
        model.generate(random_ids("xlm", 1, 40), max_new_tokens=1)


@pytest.mark.parametrize("causal", [True, False])
def test_an_adaptive_softmax_writes(causal: bool) -> None:
    model = written_model("xlm", causal, asm=True, asm_cutoffs=[10, 30])
    ids = random_ids("xlm", 1, 4)
    made = model.generate(ids, max_new_tokens=NEW, eos_token_id=None)[0, -NEW:].tolist()
    assert made == step_by_step(model, ids, torch.ones_like(ids))
