"""How XLNet writes: what is kept between tokens gives what the model called step by step gives."""

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.models.tiny import perturbed, random_ids, tiny_config
from tfx_core.errors import InputError
from tfx_core.model.model import Model

LENGTHS = (6, 1, 4)


@pytest.fixture(params=[{}, {"mem_len": 5}, {"attn_type": "uni"}], ids=str)
def model(request: pytest.FixtureRequest) -> Model:
    return written_model(**request.param)


def written_model(head: str = "causal-lm", **changes: object) -> Model:
    config = {**tiny_config("xlnet"), "eos_token_id": None, "pad_token_id": 0, **changes}
    made = tfx_core.new_model("xlnet", head=head, seed=1, **config).eval()
    return perturbed(made, 3, lambda name: 0.8 if "self_attention.sublayer" in name else 0.1)


def new_logits(model: Model, ids: Tensor, **options: object) -> Tensor:
    """``(B, 9, V)`` of nine new tokens."""
    output = model.generate(
        ids, max_new_tokens=9, do_sample=False, return_dict_in_generate=True, output_logits=True, **options
    )
    return torch.stack(output.logits, dim=1)


def step_by_step(model: Model, ids: Tensor, *, keep: bool, types: Tensor | None = None) -> Tensor:
    """The same by calls of the model: a placeholder after the text, which nothing sees, is predicted."""
    mems, logits = None, []
    with torch.no_grad():
        for _ in range(9):
            read = ids if mems is None else ids[:, -2:]
            length = read.shape[1] + 1
            hidden = torch.zeros(len(ids), length, length)
            hidden[:, :, -1] = 1
            target = torch.zeros(len(ids), 1, length)
            target[:, 0, -1] = 1
            given = {} if types is None else {"token_type_ids": types[:, :1].expand(-1, length)}
            output = model(
                torch.nn.functional.pad(read, (0, 1)), perm_mask=hidden, target_mapping=target, mems=mems, **given
            )
            logits.append(output.logits[:, 0])
            mems = [each[:-2] for each in output.mems] if keep else None
            ids = torch.cat((ids, output.logits[:, 0].argmax(-1, keepdim=True)), dim=1)
    return torch.stack(logits, dim=1)


@pytest.mark.parametrize("length", [1, 2, 5])
@pytest.mark.parametrize("keep", [True, False])
def test_it_predicts_what_step_by_step_calls_predict(model: Model, keep: bool, length: int) -> None:
    ids = random_ids("xlnet", 2, length)
    expected = step_by_step(model, ids, keep=keep)
    assert len(expected.argmax(-1).unique()) > 3
    torch.testing.assert_close(new_logits(model, ids, use_mems=keep), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("options", [{}, {"use_mems": False}, {"num_beams": 3}], ids=str)
def test_a_prompt_is_continued_in_any_batch_as_alone(model: Model, side: str, options: dict[str, object]) -> None:
    width = max(LENGTHS) + 2
    ids, mask = torch.zeros(2, len(LENGTHS), width, dtype=torch.long)
    for row, length in enumerate(LENGTHS):
        begin = 0 if side == "right" else width - length
        ids[row, begin : begin + length] = random_ids("xlnet", 1, length, seed=row)[0]
        mask[row, begin : begin + length] = 1
    types = ids % 2
    together = model.generate(
        ids, attention_mask=mask, token_type_ids=types, max_new_tokens=9, do_sample=False, **options
    )
    for row, real in enumerate(mask.bool()):
        alone = model.generate(
            ids[row : row + 1, real], token_type_ids=types[row : row + 1, real], max_new_tokens=9, do_sample=False,
            **options,
        )  # fmt: skip
        assert together[row, -9:].tolist() == alone[0, -9:].tolist()


@pytest.mark.parametrize("options", [{}, {"use_mems": False}], ids=str)
def test_after_a_padded_memory(model: Model, options: dict[str, object]) -> None:
    before, mask = random_ids("xlnet", 2, 7, seed=5), torch.ones(2, 7, dtype=torch.long)
    mask[0, 3:] = 0
    prompts, prompt_mask = random_ids("xlnet", 2, 4, seed=6), torch.ones(2, 4, dtype=torch.long)
    prompt_mask[1, :2] = 0
    with torch.no_grad():
        mems = model(before, attention_mask=mask).mems
        together = new_logits(model, prompts, attention_mask=prompt_mask, mems=mems, **options)
        for row in range(2):
            mems = model(before[row : row + 1, mask[row].bool()]).mems
            own = prompts[row : row + 1, prompt_mask[row].bool()]
            alone = new_logits(model, own, mems=mems, **options)
            torch.testing.assert_close(together[row], alone[0], rtol=1e-4, atol=1e-4)


def test_texts_that_end_early_leave_the_batch(model: Model) -> None:
    ids = random_ids("xlnet", 4, 5, seed=8)
    free = model.generate(ids, max_new_tokens=9, do_sample=False)
    end = int(free[1, 7])
    ended = model.generate(ids, max_new_tokens=9, do_sample=False, eos_token_id=end, pad_token_id=0)
    for text, whole in zip(ended[:, 5:].tolist(), free[:, 5:].tolist(), strict=True):
        stop = whole.index(end) + 1 if end in whole else len(whole)
        assert text[:stop] == whole[:stop]
        assert not any(text[stop:])


def test_a_head_mask_holds_for_every_token() -> None:
    model = written_model()
    ids = random_ids("xlnet", 1, 4)
    nothing = torch.ones(3, 4)
    assert torch.equal(
        model.generate(ids, max_new_tokens=6, head_mask=nothing, do_sample=False),
        model.generate(ids, max_new_tokens=6, do_sample=False),
    )
    half = nothing.clone()
    half[:, :2] = 0
    masked = new_logits(model, ids, head_mask=half)
    assert ((masked - new_logits(model, ids)).abs().amax(-1) > 1e-3).all()


def test_what_generation_cannot_use_is_refused() -> None:
    ids = random_ids("xlnet", 1, 4)
    for name in ("perm_mask", "target_mapping", "input_mask"):
        with pytest.raises(InputError, match=f"{name}: generation has no use for it"):
            written_model().generate(ids, max_new_tokens=2, **{name: torch.ones(1, 4, 4)})
    with pytest.raises(InputError, match="cannot generate"):
        written_model("token-classification").generate(ids, max_new_tokens=2)
    with pytest.raises(InputError, match="bi_data"):
        written_model(bi_data=True).generate(ids, max_new_tokens=2)
