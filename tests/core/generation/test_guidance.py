"""Classifier-free guidance: two states that take the same steps, against its definition on tables."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.core.generation.toys import EOS, PAD, Table, TableState, ToyConfig, padded, run, toy_model
from tfx_core.errors import InputError
from tfx_core.generation import ExtendingState, GenerationOptions, RevealingState, generate
from tfx_core.generation.guidance import guided

TEXTS, NEGATIVE = [[3, 4], [5], [4, 3, 6]], [[6, 6], [4], [7]]


class Steered(Table):
    """The logits that guidance is to give, of texts that begin with their row."""

    def __init__(self, scale: float, seed: int) -> None:
        super().__init__(seed=seed)
        self.plain, self.scale = Table(seed=seed), scale

    def after(self, text: list[int]) -> Tensor:
        row = TEXTS.index(next(each for each in TEXTS if text[: len(each)] == each))
        wanted, unwanted = (
            self.plain.after(each).log_softmax(0) for each in (text, NEGATIVE[row] + text[len(TEXTS[row]) :])
        )
        return unwanted + self.scale * (wanted - unwanted)


WAYS: list[dict[str, Any]] = [
    {}, {"do_sample": True, "seeds": [1, 2, 3], "num_return_sequences": 2}, {"num_beams": 3},
    {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5}, {"num_beams": 3, "force_words_ids": [[5]]},
    {"prompt_lookup_num_tokens": 3},
]  # fmt: skip


@pytest.mark.parametrize("options", WAYS, ids=str)
@pytest.mark.parametrize("scale", [0.0, 1.5, 4.0])
def test_texts_are_those_of_the_guided_distribution(options: dict[str, Any], scale: float) -> None:
    for seed in range(4):
        table = Table(seed=seed)
        state = guided(TableState(table, TEXTS), TableState(table, NEGATIVE), scale)
        found = run(table, TEXTS, state=state, max_new_tokens=7, **options)
        wanted = run(Steered(scale, seed), TEXTS, max_new_tokens=7, **options)
        assert torch.equal(found.sequences, wanted.sequences)


def test_a_guided_state_can_what_both_can() -> None:
    state = guided(TableState(Table(), TEXTS), TableState(Table(), NEGATIVE), 2.0)
    assert isinstance(state, ExtendingState)
    assert not isinstance(state, RevealingState)


@pytest.mark.parametrize("encoder", [False, True])
def test_negative_prompts_are_read_in_the_place_of_the_prompts(encoder: bool) -> None:
    defaults = GenerationOptions(eos_token_id=EOS, pad_token_id=PAD, decoder_start_token_id=7)
    model = toy_model(config=ToyConfig(is_encoder_decoder=encoder), generation_options=defaults)
    ids, mask = padded(TEXTS)
    others, other_mask = padded(NEGATIVE)
    generate(
        model, ids, attention_mask=mask, guidance_scale=2.0, negative_prompt_ids=others, max_new_tokens=3,
        negative_prompt_attention_mask=other_mask,
    )  # fmt: skip
    assert torch.equal(model.architecture.inputs["input_ids"], others)
    assert torch.equal(model.architecture.inputs["attention_mask"], other_mask)
    assert ("decoder_input_ids" in model.architecture.inputs) == encoder
    generate(model, ids, attention_mask=mask, guidance_scale=2.0, max_new_tokens=3)
    assert model.architecture.inputs["input_ids"].tolist() == [[4], [5], [6]]
    generate(model, ids, attention_mask=mask, guidance_scale=2.0, max_new_tokens=3, negative_prompt_ids=others[:1])
    assert model.architecture.inputs["input_ids"].tolist() == [NEGATIVE[0]] * 3


def test_guidance_that_cannot_be_meant() -> None:
    ids = torch.tensor([[3, 4], [3, 5]])
    with pytest.raises(InputError, match="negative_prompt_ids: 3 given, for a batch of 2"):
        generate(toy_model(), ids, guidance_scale=2.0, negative_prompt_ids=torch.ones(3, 1, dtype=torch.long))
    with pytest.raises(InputError, match=r"negative_prompt_ids of type list: must be a torch\.Tensor"):
        generate(toy_model(), ids, guidance_scale=2.0, negative_prompt_ids=[[3]])  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"negative_prompt_attention_mask of shape \(2, 3\): negative_prompt_ids are"):
        generate(
            toy_model(),
            ids,
            guidance_scale=2.0,
            negative_prompt_ids=ids,
            negative_prompt_attention_mask=torch.ones(2, 3),
        )
    with pytest.raises(InputError, match="negative_prompt_ids: must be token ids"):
        generate(toy_model(), ids, guidance_scale=2.0, negative_prompt_ids=torch.ones(2, 1))
    with pytest.raises(InputError, match=r"negative_prompt_ids of 9 tokens, and 4 new ones: .* positions for 10"):
        generate(
            toy_model(most_read=10), ids, guidance_scale=2.0, max_new_tokens=4,
            negative_prompt_ids=torch.ones(2, 9, dtype=torch.long),
        )  # fmt: skip
    with pytest.raises(InputError, match=r"guidance_scale=2\.0 contradicts contrastive"):
        GenerationOptions(guidance_scale=2.0, penalty_alpha=0.5, top_k=4)
    with pytest.warns(UserWarning, match="negative_prompt_ids has no effect without guidance_scale"):
        generate(toy_model(), ids, negative_prompt_ids=ids)
