"""A shortlist, for every model that writes from a source: it computes a part of the vocabulary, and that part right."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.models.test_generation import GENERATORS, model, prompts, start
from tfx_core.errors import InputError
from tfx_core.generation import LexicalTable, Shortlist
from tfx_core.model import Model

__all__ = ["GENERATORS", "model"]

SEARCHES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "scores": {"return_dict_in_generate": True, "output_scores": True, "output_logits": True},
    "beams": {"num_beams": 3, "num_return_sequences": 2, "length_penalty": 0.7},
    "samples": {"do_sample": True, "seeds": [4, 5, 6], "num_return_sequences": 2},
    "groups": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.6},
    "contrastive": {"penalty_alpha": 0.4, "top_k": 3},
    "lookup": {"prompt_lookup_num_tokens": 3},
    "forced": {"num_beams": 3, "force_words_ids": [[6, 7]]},
    "penalised": {"repetition_penalty": 1.4, "min_new_tokens": 3, "no_repeat_ngram_size": 2},
}
FREQUENT = tuple(range(5, 15))


def settings(model: Model, **options: Any) -> dict[str, Any]:
    return {
        "max_new_tokens": 7,
        "eos_token_id": 9,
        "pad_token_id": 0,
        "decoder_start_token_id": start(model),
        **options,
    }


def table(model: Model) -> LexicalTable:
    """Of each token of a source three tokens of a target, and some that are always there."""
    sources = torch.arange(model.config.vocab_size).repeat_interleave(3)
    targets = (sources * 7 + torch.arange(len(sources)) * 5) % 40 + 5
    frequent = torch.tensor(FREQUENT)
    return LexicalTable(
        torch.cat((torch.full_like(frequent, -1), sources)),
        torch.cat((frequent, targets)),
        torch.ones(len(frequent) + len(sources), dtype=torch.float64),
    )


def everything(model: Model) -> Shortlist:
    layer = model.get_output_embeddings()
    assert isinstance(layer, nn.Linear)
    tokens = torch.arange(layer.out_features)
    return Shortlist(LexicalTable(torch.full_like(tokens, -1), tokens, torch.ones(len(tokens)).double()), first=10**6)


def reads_a_source(model: Model) -> bool:
    return model.config.is_encoder_decoder


class Masked(nn.Module):
    """The whole output layer, with minus infinity where no candidate is."""

    def __init__(self, predictions: nn.Module, tokens: set[int]) -> None:
        super().__init__()
        self.predictions = predictions
        self.tokens = sorted(tokens)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.predictions(x)
        masked = torch.full_like(logits, float("-inf"))
        masked[..., self.tokens] = logits[..., self.tokens]
        return masked


def compare(one: Any, other: Any) -> None:
    if isinstance(one, Tensor):
        assert torch.equal(one, other)
        return
    assert torch.equal(one.sequences, other.sequences)
    for name in ("scores", "logits"):
        for first, second in zip(one[name], other[name], strict=True):
            torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("search", SEARCHES)
def test_of_the_whole_vocabulary_it_changes_nothing(model: Model, search: str) -> None:
    if reads_a_source(model):
        options = settings(model, **SEARCHES[search])
        whole = model.generate(**prompts(model), **options, shortlist=everything(model))
        compare(whole, model.generate(**prompts(model), **options))


@pytest.mark.parametrize("search", SEARCHES)
def test_it_is_the_model_without_the_other_tokens_whatever_else_is_in_the_batch(model: Model, search: str) -> None:
    if not reads_a_source(model):
        return
    shortlist, inputs, predictions = Shortlist(table(model)), prompts(model), model.language_head.predictions
    options = settings(model, **SEARCHES[search])
    together = model.generate(**inputs, **options, shortlist=shortlist)
    rows = together if isinstance(together, Tensor) else together.sequences
    copies = len(rows) // len(inputs["input_ids"])
    for row, (ids, mask) in enumerate(zip(inputs["input_ids"], inputs["attention_mask"], strict=True)):
        own = {name: x[row : row + 1] for name, x in inputs.items()}
        seeds = {"seeds": [options["seeds"][row]]} if "seeds" in options else {}
        words = {token for word in options.get("force_words_ids", ()) for token in word}
        alone = model.generate(**own, **{**options, **seeds}, shortlist=shortlist)
        model.language_head.predictions = Masked(
            predictions, {9, *words, *shortlist.candidates(ids[mask.bool()].tolist())}
        )
        masked = model.generate(**own, **{**options, **seeds})
        model.language_head.predictions = predictions
        compare(alone, masked)
        found = alone if isinstance(alone, Tensor) else alone.sequences
        ours = rows[row * copies : (row + 1) * copies]
        assert torch.equal(ours[:, : found.shape[1]], found)
        assert not ours[:, found.shape[1] :].any()


def test_greedy_search_gives_what_it_would_give_where_the_shortlist_has_it(model: Model) -> None:
    if not reads_a_source(model):
        return
    inputs = prompts(model)
    free = model.generate(**inputs, **settings(model))
    tokens = free.unique().tolist()
    likely = LexicalTable(torch.full((len(tokens),), -1), torch.tensor(tokens), torch.ones(len(tokens)).double())
    assert torch.equal(model.generate(**inputs, **settings(model), shortlist=Shortlist(likely)), free)


def test_beams_give_what_they_would_give_where_the_other_tokens_have_no_probability(model: Model) -> None:
    if not reads_a_source(model):
        return
    tokens = {*FREQUENT, 30, 31}
    model.language_head.predictions = Masked(model.language_head.predictions, tokens)
    options = settings(model, num_beams=3, output_scores=True, return_dict_in_generate=True)
    free = model.generate(**prompts(model), **options)
    model.language_head.predictions = model.language_head.predictions.predictions
    numbers = torch.tensor(sorted(tokens))
    likely = LexicalTable(torch.full_like(numbers, -1), numbers, torch.ones(len(numbers)).double())
    bounded = model.generate(**prompts(model), **options, shortlist=Shortlist(likely))
    assert torch.equal(bounded.sequences, free.sequences)
    torch.testing.assert_close(bounded.sequences_scores, free.sequences_scores)


def test_what_it_cannot_be_told_for_is_refused(model: Model) -> None:
    shortlist, inputs = everything(model), prompts(model)
    if not reads_a_source(model):
        with pytest.raises(InputError, match="shortlist: a source says what its translation may have"):
            model.generate(**inputs, max_new_tokens=2, shortlist=shortlist)
        return
    with pytest.raises(InputError, match="shortlist contradicts guidance_scale=2"):
        model.generate(**inputs, **settings(model, guidance_scale=2.0), shortlist=shortlist)
    with pytest.raises(InputError, match="shortlist of type str: must be a tfx_core"):
        model.generate(**inputs, **settings(model), shortlist="file")
    encoded = model.get_encoder()(**inputs)
    with pytest.raises(InputError, match="shortlist: needs input_ids"):
        model.generate(
            encoder_outputs=encoded,
            attention_mask=inputs["attention_mask"],
            **settings(model),
            shortlist=shortlist,
        )
