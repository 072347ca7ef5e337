"""An assistant changes no token, whatever it guesses: greedy search and samples are those of the model alone."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.generation.toys import PlainState, Table, TableState, padded, run, toy_model
from tfx_core.errors import InputError
from tfx_core.generation import Prompts
from tfx_core.generation.assisted import Assistant

TEXTS = [[3, 4], [5], [6, 7, 8, 2], [4, 4, 4]]


def assisted(table: Table, texts: list[list[int]], by: Table, positions: int | None = None, **options: Any) -> Any:
    """Decoding from one table with guesses from another one, and the two states."""
    state, helper = TableState(table, texts), TableState(by, texts)
    arguments = {**options.pop("arguments", {}), "assistant": Assistant(helper, positions)}
    return run(table, texts, state=state, arguments=arguments, **options), state, helper


def away_from_the_last(input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """A processor as of transformers."""
    return scores.scatter(1, input_ids[:, -1:], -4.0)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"do_sample": True, "seed": 4},
    {"do_sample": True, "seed": 5, "num_return_sequences": 3, "top_k": 3, "temperature": 1.5},
    {"do_sample": True, "seed": 6, "output_scores": True, "top_p": 0.7},
    {"repetition_penalty": 1.3, "no_repeat_ngram_size": 3},
    {"eos_token_id": None, "forced_eos_token_id": 8},
    {"min_new_tokens": 7, "exponential_decay_length_penalty": (3, 1.2)},
    {"arguments": {"stopping_criteria": [lambda rows: rows.last == 6]}},
    {"arguments": {"logits_processor": [away_from_the_last]}},
    {"arguments": {"prefix_allowed_tokens_fn": lambda row, ids: [(int(ids[-1]) + step) % 9 for step in (1, 2, row)]}},
]


@pytest.mark.parametrize("options", OPTIONS)
@given(
    seed=st.integers(0, 1000),
    likeness=st.sampled_from([0.0, 0.8, 1.0]),
    texts=st.lists(st.lists(st.integers(2, 8), min_size=1, max_size=8), min_size=1, max_size=4),
    tokens=st.integers(1, 9),
    threshold=st.sampled_from([0.0, 0.5]),
    schedule=st.sampled_from(["constant", "heuristic", "heuristic_transient"]),
    positions=st.sampled_from([None, 8]),
)
@settings(max_examples=15, deadline=None)
def test_an_assistant_changes_no_token(
    options: dict[str, Any],
    seed: int,
    likeness: float,
    texts: list[list[int]],
    tokens: int,
    threshold: float,
    schedule: str,
    positions: int | None,
) -> None:
    table, by = Table(seed=seed), Table(seed=seed + 1)
    by.logits = likeness * table.logits + (1 - likeness) * by.logits
    options = {"max_new_tokens": 14, **options}
    plain = run(table, texts, **options)
    guessing = {
        "num_assistant_tokens": tokens,
        "assistant_confidence_threshold": threshold,
        "num_assistant_tokens_schedule": schedule,
    }
    together, _, _ = assisted(table, texts, by, positions, **guessing, **options)
    assert torch.equal(plain.sequences, together.sequences)


@pytest.mark.parametrize("options", [{}, {"do_sample": True, "seed": 3}], ids=["greedy", "sampled"])
def test_right_guesses_save_steps(options: dict[str, Any]) -> None:
    """Also those of samples: the assistant draws by the same numbers."""
    table = Table(seed=2)
    plain = {"max_new_tokens": 25, "eos_token_id": None, "assistant_confidence_threshold": 0.0, **options}
    _, state, helper = assisted(table, TEXTS, table, num_assistant_tokens=5, **plain)
    assert [name for name, _ in state.log] == ["prefill"] + ["extend"] * 4  # 1 + 4 · (5 + 1) tokens
    assert sum(name == "extend" for name, _ in helper.log) == 20
    _, growing, _ = assisted(
        table, TEXTS, table, num_assistant_tokens=1, num_assistant_tokens_schedule="heuristic", **plain
    )
    assert [name for name, _ in growing.log] == ["prefill"] + ["extend"] * 5  # 1 + 2 + 4 + 6 + 8 + 4 tokens


def test_what_is_unsure_is_guessed_no_further() -> None:
    table, unsure = Table(seed=2), Table(seed=2)
    unsure.logits = unsure.logits * 0
    plain = {"max_new_tokens": 9, "eos_token_id": None, "num_assistant_tokens": 8}
    _, _, helper = assisted(table, TEXTS, unsure, **plain)
    assert sum(name == "extend" for name, _ in helper.log) <= 8


def test_samples_with_an_assistant_are_of_the_models_distribution() -> None:
    table, by = Table(size=6, seed=11, sharpness=1.0), Table(size=6, seed=12, sharpness=1.0)
    copies = 4000
    plain = {"do_sample": True, "seed": 1, "max_new_tokens": 2, "eos_token_id": None, "num_return_sequences": copies}
    output, _, _ = assisted(table, [[3, 4]], by, assistant_confidence_threshold=0.0, top_k=0, **plain)
    first, second = output.sequences[:, 2], output.sequences[:, 3]
    pairs = torch.bincount(first * 6 + second, minlength=36).view(6, 6) / copies
    expected = table.after([3, 4]).softmax(0)[:, None] * table.logits[4].softmax(1)
    assert float((pairs - expected).abs().max()) < 3 * 0.5 / copies**0.5


def test_what_cannot_assist_is_told() -> None:
    table, mine = Table(), toy_model()
    ids, mask = padded(TEXTS)
    prompts = Prompts.from_padded(ids, mask)
    with pytest.raises(InputError, match="assistant_model has positions for 3; the prompt has 4 tokens"):
        Assistant.of(toy_model(most_read=3), prompts, None)
    with pytest.raises(InputError, match="assistant_model has no encoder"):
        Assistant.of(mine, prompts, prompts)
    arguments = {"assistant": Assistant(TableState(table, TEXTS), None)}
    with pytest.raises(InputError, match="PlainState cannot take tokens back: assistant_model needs that"):
        run(table, TEXTS, state=PlainState(TableState(table, TEXTS)), arguments=arguments)
    for options in ({"num_beams": 2}, {"penalty_alpha": 0.5, "top_k": 4}, {"prompt_lookup_num_tokens": 3}):
        with pytest.raises(InputError, match="assistant_model contradicts"):
            assisted(table, TEXTS, table, **options)


class Listener:
    """A streamer that keeps what it is given."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.ended = 0

    def put(self, tokens: torch.Tensor) -> None:
        self.ids += tokens.flatten().tolist()

    def end(self) -> None:
        self.ended += 1


def test_one_text_is_streamed_in_blocks() -> None:
    table, listener = Table(seed=2), Listener()
    output, _, _ = assisted(table, TEXTS[:1], table, max_new_tokens=9, arguments={"streamer": listener})
    assert listener.ids == output.sequences[0].tolist()
    assert listener.ended == 1
    with pytest.raises(InputError, match="streaming with assistant_model: only one text at a time"):
        assisted(table, TEXTS, table, arguments={"streamer": listener})
