"""The engine finds what transformers 4.57 finds, token for token."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.parity.generation_reference import (
    EOS,
    PAD,
    VOCABULARY,
    bart_model,
    causal_model,
    ours,
    prompt_length,
    prompts,
    ragged,
    t5_model,
    texts,
    theirs,
)
from tfx_core.generation import transition_scores

MODELS: dict[str, Callable[[int], Any]] = {"gpt2": causal_model, "bart": bart_model, "t5": t5_model}
SEEDS = (0, 1, 2)
pytestmark = pytest.mark.filterwarnings("ignore")

STRATEGIES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "beams": {"num_beams": 3},
    "all beams": {"num_beams": 4, "num_return_sequences": 4},
    "early": {"num_beams": 3, "early_stopping": True, "num_return_sequences": 2},
    "never early": {"num_beams": 3, "early_stopping": "never"},
    "long texts": {"num_beams": 3, "early_stopping": "never", "length_penalty": 2.0, "num_return_sequences": 3},
    "short texts": {"num_beams": 4, "length_penalty": -1.0, "num_return_sequences": 2},
    "canonical": {"num_beams": 3, "early_stopping": "never", "length_penalty": 0.0},
    "early long texts": {"num_beams": 2, "early_stopping": True, "length_penalty": 1.7},
    "as many beams as tokens": {"num_beams": VOCABULARY, "num_return_sequences": 5, "max_new_tokens": 6},
}

PROCESSORS: dict[str, dict[str, Any]] = {
    "repetition": {"repetition_penalty": 1.4},
    "repetition wanted": {"repetition_penalty": 0.7},
    "no repeats of 1": {"no_repeat_ngram_size": 1, "max_new_tokens": 8},
    "no repeats of 2": {"no_repeat_ngram_size": 2},
    "no repeats of 3": {"no_repeat_ngram_size": 3},
    "no repeats of the source": {"encoder_no_repeat_ngram_size": 2},
    "bad words": {"bad_words_ids": [[5], [6, 7], [3, 4, 5], [13, 13], [EOS]]},
    "biases": {"sequence_bias": {(6,): 2.5, (5, 7): 4.0, (13, 13): -3.0, (9, 10): float("-inf")}},
    "least length": {"min_length": 9},
    "least new tokens": {"min_new_tokens": 7},
    "two ends": {"eos_token_id": [EOS, 7], "min_new_tokens": 3},
    "three ends": {"eos_token_id": [EOS, 7, 11]},
    "forced end": {"forced_eos_token_id": EOS},
    "forced ends": {"forced_eos_token_id": [EOS, 5], "eos_token_id": [EOS, 5]},
    "forced begin": {"forced_bos_token_id": 9},
    "suppressed": {"suppress_tokens": [4, 5, 6, 13]},
    "suppressed at begin": {"begin_suppress_tokens": [EOS, 5, 13, 22]},
    "suppressed after forced": {"begin_suppress_tokens": [EOS, 5, 13, 22], "forced_bos_token_id": 5},
    "end more likely": {"exponential_decay_length_penalty": (3, 1.3)},
    "end much more likely": {"exponential_decay_length_penalty": (0, 2.0), "repetition_penalty": 1.2},
    "normalised": {"renormalize_logits": True, "repetition_penalty": 1.5},
    "valid": {"remove_invalid_values": True, "bad_words_ids": [[5], [13]]},
    "no end": {"eos_token_id": None, "repetition_penalty": 1.2},
    "total length": {"max_length": 11, "max_new_tokens": None},
    "much at once": {
        "repetition_penalty": 1.2,
        "no_repeat_ngram_size": 2,
        "min_new_tokens": 4,
        "forced_eos_token_id": EOS,
        "bad_words_ids": [[8, 9]],
        "exponential_decay_length_penalty": (5, 1.1),
    },
}


def compare(model: Any, ids: torch.Tensor, options: dict[str, Any]) -> None:
    """Both find the same texts, with the same scores."""
    options = {"max_new_tokens": 12, **options}
    given = {name: value for name, value in options.items() if value is not None or name == "eos_token_id"}
    if given.get("max_length"):
        given["max_length"] = given["max_length"] - 6 + prompt_length(model, ids)
        options = {**options, "max_length": given["max_length"]}
    mine = ours(model, ids, return_dict_in_generate=True, output_scores=True, **given)
    reference = theirs(model, ids, **options)
    begin = prompt_length(model, ids)
    ends = options.get("eos_token_id", EOS)
    ends = tuple(ends) if isinstance(ends, list) else (ends,)
    assert texts(mine.sequences, begin, ends) == texts(reference.sequences, begin, ends)
    if mine.sequences_scores is not None:
        torch.testing.assert_close(mine.sequences_scores, reference.sequences_scores, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", MODELS)
def test_strategies(kind: str, strategy: str) -> None:
    for seed in SEEDS:
        compare(MODELS[kind](seed), prompts(seed, 4), STRATEGIES[strategy])


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("kind", MODELS)
def test_processors(kind: str, processor: str) -> None:
    for seed, strategy in ((3, "greedy"), (4, "all beams")):
        compare(MODELS[kind](seed), prompts(seed, 3), {**STRATEGIES[strategy], **PROCESSORS[processor]})


@pytest.mark.parametrize("kind", MODELS)
def test_encoder_repetition_penalty_without_beams(kind: str) -> None:
    # with beams the reference applies it to the first rows of the batch only
    for seed in SEEDS:
        compare(MODELS[kind](seed), prompts(seed, 3), {"encoder_repetition_penalty": 1.6})


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("beams", [1, 3])
def test_allowed_tokens(kind: str, beams: int) -> None:
    model, ids = MODELS[kind](5), prompts(5, 3)

    def allowed(row: int, tokens: torch.Tensor) -> list[int]:
        return [EOS, 3 + row, 10 + row, 12 + int(tokens[-1]) % 7]

    options = {"num_beams": beams, "max_new_tokens": 10}
    mine = ours(model, ids, arguments={"prefix_allowed_tokens_fn": allowed}, **options)
    reference = theirs(model, ids, prefix_allowed_tokens_fn=allowed, **options)
    begin = prompt_length(model, ids)
    assert texts(mine.sequences, begin) == texts(reference.sequences, begin)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("strategy", ["greedy", "all beams", "early", "long texts"])
@pytest.mark.parametrize("kind", MODELS)
def test_padded_rows_as_the_reference_alone(kind: str, strategy: str, side: str) -> None:
    """Each row of a padded batch is what the reference makes of it without padding."""
    options = {**STRATEGIES[strategy], "max_new_tokens": 10, "no_repeat_ngram_size": 3, "repetition_penalty": 1.2}
    copies = options.get("num_return_sequences", 1)
    for seed in (6, 7):
        model = MODELS[kind](seed)
        ids, mask = ragged(seed, 4, side=side)
        mine = ours(model, ids, mask, **options)
        found = texts(mine.sequences, prompt_length(model, ids))
        for row in range(4):
            alone = ids[row : row + 1, mask[row].bool()]
            reference = theirs(model, alone, **options)
            expected = texts(reference.sequences, prompt_length(model, alone))
            assert found[row * copies : (row + 1) * copies] == expected


@pytest.mark.parametrize("strategy", ["greedy", "all beams", "early"])
@pytest.mark.parametrize("kind", MODELS)
def test_padded_batch_as_the_reference(kind: str, strategy: str) -> None:
    for seed in (8, 9):
        model = MODELS[kind](seed)
        ids, mask = ragged(seed, 4, side="right" if model.config.is_encoder_decoder else "left")
        options = {**STRATEGIES[strategy], "max_new_tokens": 10}
        begin = prompt_length(model, ids)
        mine, reference = ours(model, ids, mask, **options), theirs(model, ids, mask, **options)
        assert torch.equal(mine.sequences[:, :begin], reference.sequences[:, :begin])
        assert texts(mine.sequences, begin) == texts(reference.sequences, begin)


@pytest.mark.parametrize("kind", MODELS)
def test_scores_and_logits(kind: str) -> None:
    """Of texts that go on, scores and logits of every step are the reference's; of ended ones they name the padding."""
    model, ids = MODELS[kind](1), prompts(1, 4)
    options = {"max_new_tokens": 10, "repetition_penalty": 1.3, "output_logits": True}
    mine = ours(model, ids, return_dict_in_generate=True, output_scores=True, **options)
    reference = theirs(model, ids, **options)
    lengths = [len(text) for text in texts(mine.sequences, prompt_length(model, ids))]
    assert mine.scores is not None
    assert mine.logits is not None
    assert len(mine.scores) == len(reference.scores) == max(lengths)
    for step, (scores, logits) in enumerate(zip(mine.scores, mine.logits, strict=True)):
        for row, length in enumerate(lengths):
            if step < length:
                torch.testing.assert_close(scores[row], reference.scores[step][row], atol=1e-4, rtol=1e-4)
                torch.testing.assert_close(logits[row], reference.logits[step][row], atol=1e-4, rtol=1e-4)
            else:
                assert int(scores[row].argmax()) == PAD
                assert float(scores[row].softmax(0)[PAD]) == 1.0


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("beams", [1, 3])
def test_transition_scores(kind: str, beams: int) -> None:
    model, ids = MODELS[kind](2), prompts(2, 3)
    options = {"max_new_tokens": 9, "num_beams": beams, "num_return_sequences": beams, "length_penalty": 0.8}
    mine = ours(model, ids, return_dict_in_generate=True, output_scores=True, **options)
    reference = theirs(model, ids, **options)
    expected = model.compute_transition_scores(
        reference.sequences, reference.scores, getattr(reference, "beam_indices", None), normalize_logits=beams == 1
    )
    found = transition_scores(mine, normalize_logits=beams == 1)
    lengths = [len(text) for text in texts(mine.sequences, prompt_length(model, ids))]
    for row, length in enumerate(lengths):
        torch.testing.assert_close(found[row, :length], expected[row, :length], atol=1e-4, rtol=1e-4)
        assert not found[row, length:].any()
    if mine.sequences_scores is not None:
        lengths = torch.tensor(lengths, dtype=torch.float32)
        torch.testing.assert_close(found.sum(1) / lengths**0.8, mine.sequences_scores, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("processor", ["repetition", "no repeats of 2", "bad words", "least new tokens", "forced end"])
def test_prompt_lookup(processor: str) -> None:
    for seed in SEEDS:
        model = causal_model(seed)
        ids = prompts(seed, 1, 5).repeat(1, 2)
        options = {"max_new_tokens": 12, "prompt_lookup_num_tokens": 4, **PROCESSORS[processor]}
        expected = texts(theirs(model, ids, **options).sequences, 10)
        # the reference may go on beyond max_new_tokens
        assert texts(ours(model, ids, **options).sequences, 10) == [text[:12] for text in expected]


def test_custom_processors_come_after_the_options_own() -> None:
    model, ids = causal_model(3), prompts(3, 2)

    class Theirs:
        def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            return scores * torch.linspace(0.5, 1.5, VOCABULARY)

    options = {"max_new_tokens": 8, "repetition_penalty": 1.5}
    mine = ours(
        model,
        ids,
        arguments={"logits_processor": [lambda scores, rows: scores * torch.linspace(0.5, 1.5, VOCABULARY)]},
        **options,
    )
    assert texts(mine.sequences, 6) == texts(theirs(model, ids, logits_processor=[Theirs()], **options).sequences, 6)


def test_bart_defaults_of_its_config() -> None:
    """The end token that BART's config forces by default is forced here too, from the same dictionary."""
    from tfx_core.generation import options_from_files

    model = bart_model(4)
    asked = {"num_beams": 3, "max_length": 9, "no_repeat_ngram_size": 2, "forced_eos_token_id": EOS}
    options = options_from_files(None, {**model.config.to_dict(), **asked})
    ids = prompts(4, 3)
    mine = ours(model, ids, **{name: getattr(options, name) for name in asked})
    assert texts(mine.sequences, 1) == texts(theirs(model, ids, **asked).sequences, 1)
