"""Filters, stop strings and defaults from files do what transformers 4.57 does."""

import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
import transformers
from torch import Tensor
from transformers.generation import logits_process as reference

from tfx_core.generation import GenerationOptions, Prompts, Rows, filters, options_from_files
from tfx_core.generation.filters import warped
from tfx_core.generation.stopping import StopStrings

INPUT = torch.zeros(6, 1, dtype=torch.long)


def random_scores(seed: int, size: int = 40) -> Tensor:
    """Scores ``(6, size)``: flat, peaked, with banned tokens."""
    scores = (
        torch.randn(6, size, generator=torch.Generator().manual_seed(seed))
        * torch.tensor([0.1, 1, 2, 4, 8, 1])[:, None]
    )
    scores[5, ::3] = float("-inf")
    return scores


FILTERS: dict[str, tuple[Any, Any, Any]] = {
    "top_k 1": (filters.top_k, 1, reference.TopKLogitsWarper),
    "top_k 7": (filters.top_k, 7, reference.TopKLogitsWarper),
    "top_k 99": (filters.top_k, 99, reference.TopKLogitsWarper),
    "top_p 0": (filters.top_p, 0.0, reference.TopPLogitsWarper),
    "top_p 0.3": (filters.top_p, 0.3, reference.TopPLogitsWarper),
    "top_p 0.95": (filters.top_p, 0.95, reference.TopPLogitsWarper),
    "min_p 0.1": (filters.min_p, 0.1, reference.MinPLogitsWarper),
    "min_p 1": (filters.min_p, 1.0, reference.MinPLogitsWarper),
    "typical 0.2": (filters.typical_p, 0.2, reference.TypicalLogitsWarper),
    "typical 0.9": (filters.typical_p, 0.9, reference.TypicalLogitsWarper),
    "epsilon": (filters.epsilon, 0.03, reference.EpsilonLogitsWarper),
    "eta": (filters.eta, 0.03, reference.EtaLogitsWarper),
}


@pytest.mark.parametrize("keep", [1, 3])
@pytest.mark.parametrize("name", FILTERS)
def test_filters(name: str, keep: int) -> None:
    mine, value, theirs = FILTERS[name]
    for seed in range(10):
        scores = random_scores(seed)
        expected = theirs(value, min_tokens_to_keep=keep)(INPUT, scores.clone())
        torch.testing.assert_close(mine(scores.clone(), value, keep), expected)


def test_top_p_of_a_large_vocabulary() -> None:
    """The nucleus is found although it is larger than what is sorted at first."""
    for seed in range(3):
        scores = random_scores(seed, 3000)
        for mass in (0.2, 0.9, 0.999):
            expected = reference.TopPLogitsWarper(mass)(INPUT, scores)
            found = filters.top_p(scores, mass)
            # sums of thousands of terms differ in the last bits: at most one token at the border
            assert ((found.isfinite() != expected.isfinite()).sum(1) <= 1).all()


@pytest.mark.parametrize(
    "asked",
    [
        {"temperature": 0.7, "top_k": 12, "top_p": 0.8},
        {"top_k": 0, "min_p": 0.05, "typical_p": 0.9},
        {"temperature": 1.5, "top_k": 30, "top_p": 0.9, "min_p": 0.02, "typical_p": 0.8, "epsilon_cutoff": 0.01},
        {"top_k": 30, "eta_cutoff": 0.02},
        {},
    ],
)  # fmt: skip
@pytest.mark.parametrize("beams", [1, 2])
def test_order_of_filters(asked: dict[str, Any], beams: int) -> None:
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=40, n_embd=8, n_layer=1, n_head=1))
    config = transformers.GenerationConfig(do_sample=True, num_beams=beams, eos_token_id=[1, 2], **asked)
    model._prepare_special_tokens(config, device="cpu")
    theirs = model._get_logits_processor(config, input_ids_seq_length=1)
    options = GenerationOptions(do_sample=True, num_beams=beams, eos_token_id=[1, 2], **asked)
    for seed in range(5):
        scores = random_scores(seed)
        expected = theirs(INPUT, scores.clone())
        torch.testing.assert_close(warped(scores.clone(), options, keep=3 if beams == 2 else 1), expected)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A byte-level BPE that has learned a few words, and not the parts of most characters outside ASCII."""
    made = tokenizers.ByteLevelBPETokenizer()
    made.train_from_iterator(
        ["stop the stopper stops at the top of the slope", "café naïve über"] * 5, vocab_size=330, min_frequency=2
    )
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made._tokenizer)


TEXTS = [
    "the stopper stops",
    "at the top",
    "s t o p",
    "topstop",
    "café über alles",
    "a st op sto p",
    "näch\nste Zeile 日本語",
]


@pytest.mark.parametrize("strings", [["stop"], ["top", "ers"], [" "], ["e s", "af"], ["opp"]])
def test_stop_strings(tokenizer: Any, strings: list[str]) -> None:
    """Wherever the reference stops in the tokens of a text, so do we, and nowhere else."""
    theirs = transformers.StopStringCriteria(tokenizer, strings)
    mine = StopStrings(strings, tokenizer)
    stops = 0
    for text in TEXTS:
        ids = tokenizer(text)["input_ids"]
        for end in range(1, len(ids) + 1):
            prefix = torch.tensor([ids[:end]])
            prompts = Prompts.from_padded(prefix, None)
            expected = bool(theirs(prefix, None)[0])
            stops += expected
            assert bool(mine(Rows.of(prompts, prompts.lengths))[0]) == expected, (text, end)
    assert stops


def test_defaults_from_files(tmp_path: Path) -> None:
    """What the reference reads from the same files, for every option that both know."""
    cases = [
        {"num_beams": 4, "max_length": 142, "min_length": 56, "early_stopping": True, "length_penalty": 2.0,
         "no_repeat_ngram_size": 3, "forced_bos_token_id": 0, "forced_eos_token_id": 2, "decoder_start_token_id": 2,
         "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2},
        {"do_sample": True, "top_k": 5, "top_p": 0.9, "temperature": 0.6, "eos_token_id": [2, 3], "max_new_tokens": 7},
        {"bad_words_ids": [[7], [8, 9]], "suppress_tokens": [4], "begin_suppress_tokens": [5], "max_length": 20},
    ]  # fmt: skip
    for number, case in enumerate(cases):
        folder = tmp_path / str(number)
        transformers.GenerationConfig(**case).save_pretrained(folder)
        written = json.loads((folder / "generation_config.json").read_text())
        theirs = transformers.GenerationConfig.from_pretrained(folder)
        for mine in (options_from_files(written, {}), options_from_files(None, case)):
            for name in case.keys() - {"max_length", "max_new_tokens"}:
                assert json.loads(json.dumps(getattr(mine, name))) == getattr(theirs, name), (
                    name
                )  # tuples are lists there
            # 20 stands for "not set", which means 20 new tokens
            assert mine.max_length == (None if theirs.max_length == 20 else theirs.max_length)
        assert options_from_files(written, {}).max_new_tokens == theirs.max_new_tokens


def test_top_p_meets_a_mass_exactly_where_the_reference_does() -> None:
    """Sums of rational probabilities, of which rounding decides whether they reach the mass."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(400):
        weights = torch.randperm(60, generator=generator)[: int(torch.randint(3, 40, (), generator=generator))] + 1
        scores = (weights / weights.sum()).log()[None]
        sums = weights.sort(descending=True).values.double().cumsum(0) / weights.sum()
        for mass in sums[:-1].tolist():
            theirs = transformers.TopPLogitsWarper(mass)(torch.zeros(1, 0, dtype=torch.long), scores.clone())
            assert torch.equal(filters.top_p(scores, mass).isfinite(), theirs.isfinite())
