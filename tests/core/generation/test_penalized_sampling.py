"""Penalised sampling (Keskar et al. 2019, equation 3): logits of tokens that occurred are divided."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.generation.test_processors import SIZE, TEXTS, rows_of
from tests.core.generation.toys import EOS, PAD, Table, found, run, toy_model
from tfx_core.errors import InputError
from tfx_core.generation import GenerationConfig, GenerationOptions, generate
from tfx_core.generation.processors import first_processors

THETA = 1.7
STRATEGIES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampled": {"do_sample": True, "seeds": [1, 2, 3], "temperature": 0.8},
    "copies": {"do_sample": True, "seeds": [1, 2, 3], "num_return_sequences": 3, "top_k": 3},
    "beams": {"num_beams": 3, "num_return_sequences": 2},
    "sampled beams": {"num_beams": 3, "do_sample": True, "seeds": [1, 2, 3]},
    "groups": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.3},
    "forced": {"num_beams": 3, "force_words_ids": [[5, 6]]},
    "lookup": {"prompt_lookup_num_tokens": 3},
    "contrastive": {"penalty_alpha": 0.5, "top_k": 3},
}


class Penalised(Table):
    """A table that divides by itself, once for each token of the text."""

    def after(self, text: list[int]) -> torch.Tensor:
        logits = super().after(text)
        for token in set(text):
            logits[token] /= THETA
        return logits


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_finds_what_it_finds_of_divided_logits(strategy: str) -> None:
    texts = [[3, 4, 3], [5], [2, 7, 7, 8]]
    changed = 0
    for seed in range(6):
        options = {**STRATEGIES[strategy], "max_new_tokens": 8}
        ours = found(Table(seed=seed), texts, **options, penalized_sampling=THETA)
        assert ours == found(Penalised(seed=seed), texts, **options)
        changed += ours != found(Table(seed=seed), texts, **options)
    assert changed > 3


@given(texts=TEXTS, seed=st.integers(0, 99), side=st.sampled_from(["left", "right"]), data=st.data())
@settings(max_examples=25, deadline=None)
def test_each_token_of_the_text_counts_once_and_those_of_the_prompt_if_wanted(
    texts: list[list[int]], seed: int, side: str, data: st.DataObject
) -> None:
    rows = rows_of(texts, side)
    rows.prompt_lengths = torch.tensor([data.draw(st.integers(1, len(text))) for text in texts])
    scores = torch.randn(len(texts), SIZE, generator=torch.Generator().manual_seed(seed))
    for ignored in (False, True):
        options = GenerationOptions(penalized_sampling=THETA, repetition_penalty_ignores_prompt=ignored)
        (penalty,) = first_processors(options)
        expected = scores.clone()
        for row, text in enumerate(texts):
            for token in set(text[int(rows.prompt_lengths[row]) :] if ignored else text):
                expected[row, token] /= THETA
        torch.testing.assert_close(penalty(scores.clone(), rows), expected)


def test_a_sample_is_drawn_from_equation_3() -> None:
    table, text, temperature = Table(), [3, 4], 0.5
    output = run(
        table, [text], max_new_tokens=1, do_sample=True, top_k=0, temperature=temperature, penalized_sampling=1.2,
        output_scores=True, return_dict_in_generate=True,
    )  # fmt: skip
    assert output.scores is not None
    inside = torch.tensor([token in text for token in range(table.size)])
    exponents = table.after(text) / (temperature * torch.where(inside, 1.2, 1.0))
    torch.testing.assert_close(output.scores[0][0].softmax(0), exponents.softmax(0))


def test_a_negative_logit_gains_which_the_other_penalty_prevents() -> None:
    table = Table()
    table.logits[:] = -2.0
    table.logits[..., 3] = -1.5
    assert found(table, [[3, 4]], max_new_tokens=1, eos_token_id=None) == [[3]]
    assert found(table, [[3, 4]], max_new_tokens=1, eos_token_id=None, penalized_sampling=3.0) == [[3]]
    assert found(table, [[3, 4]], max_new_tokens=1, eos_token_id=None, repetition_penalty=3.0) != [[3]]
    assert found(table, [[4, 5]], max_new_tokens=1, eos_token_id=None, penalized_sampling=3.0) == [[4]]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"repetition_penalty": 1.1}, r"penalized_sampling=1.2 and repetition_penalty=1.1: give one of the two"),
        ({"guidance_scale": 2.0}, r"penalized_sampling=1.2 contradicts guidance_scale=2: .* use repetition_penalty"),
    ],
)
def test_what_makes_no_sense_together_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        GenerationOptions(penalized_sampling=1.2, **options)


@pytest.mark.parametrize("value", [0, -1.2, "much"])
def test_it_is_above_0(value: Any) -> None:
    with pytest.raises(InputError, match=r"penalized_sampling="):
        GenerationOptions(penalized_sampling=value)


def test_a_file_keeps_it(tmp_path: Path) -> None:
    GenerationConfig(penalized_sampling=THETA, eos_token_id=EOS, pad_token_id=PAD).save_pretrained(tmp_path)
    stored = GenerationConfig.from_pretrained(tmp_path)
    assert stored.penalized_sampling == THETA
    ids = torch.tensor([[3, 4, 3, 4]])
    written = generate(toy_model(generation_options=stored.options()), ids, max_new_tokens=6)
    assert written.tolist() == generate(toy_model(Penalised()), ids, max_new_tokens=6).tolist()
