"""How Transformer-XL writes: what is kept between tokens gives what the model called step by step gives."""

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.models.tiny import perturbed, random_ids, tiny_config
from tfx_core.errors import InputError
from tfx_core.model.model import Model

LENGTHS = (6, 1, 4)
NEW = 15


@pytest.fixture(
    params=[
        {},
        {"mem_len": 1},
        {"mem_len": 40},
        {"same_length": False},
        {"mem_len": 0, "same_length": False},
        {"pre_lnorm": True},
    ],
    ids=str,
)
def model(request: pytest.FixtureRequest) -> Model:
    return writing_model(**request.param)


def writing_model(head: str = "causal-lm", **changes: object) -> Model:
    # with tied tables a random model repeats its last word
    untied = {"eos_token_id": None, "pad_token_id": 0, "tie_word_embeddings": False}
    config = {**tiny_config("transfo-xl"), **untied, **changes}
    made = tfx_core.new_model("transfo-xl", head=head, seed=1, **config).eval()
    # what a token sees must outweigh what is the same for all, and words of all clusters be as likely
    return perturbed(made, 3, lambda name: 0.02 if name.endswith(".bias") else 0.3)


def new_logits(model: Model, ids: Tensor, **options: object) -> Tensor:
    """``(B, 15, V)`` of fifteen new tokens."""
    output = model.generate(
        ids, max_new_tokens=NEW, do_sample=False, return_dict_in_generate=True, output_logits=True, **options
    )
    return torch.stack(output.logits, dim=1)


def padded(side: str) -> tuple[Tensor, Tensor]:
    width = max(LENGTHS) + 2
    ids, mask = torch.zeros(2, len(LENGTHS), width, dtype=torch.long)
    for row, length in enumerate(LENGTHS):
        begin = 0 if side == "right" else width - length
        ids[row, begin : begin + length] = random_ids("transfo-xl", 1, length, seed=row)[0]
        mask[row, begin : begin + length] = 1
    return ids, mask


@pytest.mark.parametrize("length", [1, 2, 9])
def test_it_predicts_what_step_by_step_calls_predict(model: Model, length: int) -> None:
    ids = random_ids("transfo-xl", 2, length)
    text, read, mems, logits = ids, ids, None, []
    with torch.no_grad():
        for _ in range(NEW):
            output = model(read, mems=mems)
            mems = output.get("mems")
            logits.append(output.logits[:, -1])
            text = torch.cat((text, logits[-1].argmax(-1, keepdim=True)), dim=1)
            read = text if mems is None else text[:, -1:]
    expected = torch.stack(logits, dim=1)
    # a word that sees only itself is soon followed by those that followed it before
    assert len(expected.argmax(-1).unique()) >= (2 if model.config.mem_len == 1 else 3)
    torch.testing.assert_close(new_logits(model, ids), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("options", [{}, {"num_beams": 3}, {"penalty_alpha": 0.5, "top_k": 3}], ids=str)
def test_a_prompt_is_continued_in_any_batch_as_alone(model: Model, side: str, options: dict[str, object]) -> None:
    ids, mask = padded(side)
    written = {"max_new_tokens": NEW, "do_sample": False, **options}
    together = model.generate(ids, attention_mask=mask, **written)
    for row, real in enumerate(mask.bool()):
        alone = model.generate(ids[row : row + 1, real], **written)
        assert together[row, -NEW:].tolist() == alone[0, -NEW:].tolist()


def test_after_a_padded_memory(model: Model) -> None:
    before, mask = padded("right")
    prompts, prompt_mask = padded("left")
    with torch.no_grad():
        mems = model(before, attention_mask=mask).get("mems")
        together = new_logits(model, prompts, attention_mask=prompt_mask, mems=mems)
        for row in range(len(LENGTHS)):
            mems = model(before[row : row + 1, mask[row].bool()]).get("mems")
            own = prompts[row : row + 1, prompt_mask[row].bool()]
            torch.testing.assert_close(together[row], new_logits(model, own, mems=mems)[0], rtol=1e-4, atol=1e-4)


def test_texts_that_end_early_leave_the_batch(model: Model) -> None:
    ids = random_ids("transfo-xl", 4, 5, seed=8)
    free = model.generate(ids, max_new_tokens=NEW, do_sample=False)
    end = int(free[1, 7])
    ended = model.generate(ids, max_new_tokens=NEW, do_sample=False, eos_token_id=end, pad_token_id=0)
    for text, whole in zip(ended[:, 5:].tolist(), free[:, 5:].tolist(), strict=True):
        stop = whole.index(end) + 1 if end in whole else len(whole)
        assert text[:stop] == whole[:stop]
        assert not any(text[stop:])


def test_long_texts_stay_right_while_their_keys_move_through_the_buffers() -> None:
    model = writing_model(mem_len=5)
    ids = random_ids("transfo-xl", 2, 3)
    text = model.generate(ids, max_new_tokens=300, do_sample=False)
    mems, read = None, ids
    with torch.no_grad():
        for place in range(3, 303):
            output = model(read, mems=mems)
            mems, read = output.mems, text[:, place : place + 1]
            assert torch.equal(output.logits[:, -1].argmax(-1), text[:, place])


def test_a_head_mask_holds_for_every_token() -> None:
    model = writing_model()
    ids = random_ids("transfo-xl", 1, 4)
    half = torch.ones(3, 4)
    torch.testing.assert_close(new_logits(model, ids, head_mask=half), new_logits(model, ids))
    half[:, :2] = 0
    assert ((new_logits(model, ids, head_mask=half) - new_logits(model, ids)).abs().amax(-1) > 1e-3).all()


def test_what_generation_cannot_use_is_refused() -> None:
    ids = random_ids("transfo-xl", 1, 4)
    with pytest.raises(InputError, match="cannot generate"):
        writing_model("sequence-classification").generate(ids, max_new_tokens=2)
