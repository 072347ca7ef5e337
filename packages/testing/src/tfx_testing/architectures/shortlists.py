"""A shortlist, for models that write from a source: it computes a part of the vocabulary, and that part right."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tfx_core.generation import LexicalTable, Shortlist
from tfx_core.model import Model
from tfx_testing.architectures.base import CaseChecks
from tfx_testing.checks import each
from tfx_testing.comparing import close
from tfx_testing.refusing import refused
from tfx_testing.writers import Writer, of_row, prompts, start, writers, writing_model

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
FREQUENT = 10
"""How many tokens, from the fifth on, are always candidates."""


def translators(cls: type[CaseChecks]) -> Sequence[Writer]:
    """What writes from a source."""
    return [each for each in writers(cls) if each.reads_source]


def settings(model: Model, **options: Any) -> dict[str, Any]:
    """Options of a text of seven tokens at most, which the token 9 ends."""
    plain = {"max_new_tokens": 7, "eos_token_id": 9, "pad_token_id": 0, "decoder_start_token_id": start(model)}
    return {**plain, **options}


def listed(tokens: Sequence[int]) -> Shortlist:
    """These tokens, whatever the source."""
    numbers = torch.tensor(sorted(tokens))
    return Shortlist(LexicalTable(torch.full_like(numbers, -1), numbers, torch.ones(len(numbers)).double()))


def everything(model: Model) -> Shortlist:
    """Of all tokens that the output layer knows."""
    tokens = torch.arange(_output_tokens(model))
    return Shortlist(LexicalTable(torch.full_like(tokens, -1), tokens, torch.ones(len(tokens)).double()), first=10**6)


def some(model: Model) -> Shortlist:
    """Of each token of a source three tokens of a target, and some that are always there."""
    known = _output_tokens(model)
    sources = torch.arange(known).repeat_interleave(3)
    targets = (sources * 7 + torch.arange(len(sources)) * 5) % (known - 12) + 5
    frequent = torch.arange(5, min(5 + FREQUENT, known))
    return Shortlist(
        LexicalTable(
            torch.cat((torch.full_like(frequent, -1), sources)),
            torch.cat((frequent, targets)),
            torch.ones(len(frequent) + len(sources), dtype=torch.float64),
        )
    )


class Masked(nn.Module):
    """The whole output layer, with minus infinity where no candidate is."""

    def __init__(self, predictions: nn.Module, tokens: set[int]) -> None:
        super().__init__()
        self.predictions = predictions
        self.tokens = sorted(tokens)

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, V)``."""
        logits: Tensor = self.predictions(x)
        masked = torch.full_like(logits, float("-inf"))
        masked[..., self.tokens] = logits[..., self.tokens]
        return masked


class ShortlistChecks(CaseChecks):
    """``generate(shortlist=…)``."""

    @each(writer=translators)
    @pytest.mark.parametrize("search", SEARCHES)
    def test_of_the_whole_vocabulary_it_changes_nothing(self, writer: Writer, search: str) -> None:
        """With every token as a candidate each strategy writes what it writes without.

        Where it does not: ``predictions`` of the head has no ``only`` that gives some rows of itself, or one that
        leaves out a bias or a factor.
        """
        model = writing_model(self.case, writer)
        inputs, options = prompts(self.case, model), settings(model, **SEARCHES[search])
        whole = model.generate(**inputs, **options, shortlist=everything(model))
        _compare(whole, model.generate(**inputs, **options), f"{search} with all tokens")

    @each(writer=translators)
    @pytest.mark.parametrize("search", SEARCHES)
    def test_it_is_the_model_without_the_other_tokens_whatever_else_is_in_the_batch(
        self, writer: Writer, search: str
    ) -> None:
        """A row writes what it would if all but its own candidates had no probability, beside any other row.

        Where it does not: ``narrow`` or ``select`` of the decoding state does not keep the candidates of each
        source with it.
        """
        model = writing_model(self.case, writer)
        shortlist, inputs, predictions = some(model), prompts(self.case, model), model.language_head.predictions
        options = settings(model, **SEARCHES[search])
        together = model.generate(**inputs, **options, shortlist=shortlist)
        rows = together if isinstance(together, Tensor) else together.sequences
        copies = len(rows) // len(inputs["input_ids"])
        for row, (ids, mask) in enumerate(zip(inputs["input_ids"], inputs["attention_mask"], strict=True)):
            own = {**options, "seeds": [options["seeds"][row]]} if "seeds" in options else options
            words = {token for word in options.get("force_words_ids", ()) for token in word}
            alone = model.generate(**of_row(inputs, row), **own, shortlist=shortlist)
            candidates = {9, *words, *shortlist.candidates(ids[mask.bool()].tolist())}
            model.language_head.predictions = Masked(predictions, candidates)
            masked = model.generate(**of_row(inputs, row), **own)
            model.language_head.predictions = predictions
            _compare(alone, masked, f"{search}: row {row} with a shortlist, beside it with other tokens masked")
            found = alone if isinstance(alone, Tensor) else alone.sequences
            ours = rows[row * copies : (row + 1) * copies]
            assert ours[:, : found.shape[1]].tolist() == found.tolist(), f"{search}: row {row} depends on other rows"
            assert not ours[:, found.shape[1] :].any()

    @each(writer=translators)
    def test_greedy_search_gives_what_it_would_give_where_the_shortlist_has_it(self, writer: Writer) -> None:
        """The tokens of a free text alone are enough to write it.

        Where they are not: ``only`` of the predictions takes other rows of the output layer than those that it
        is asked for.
        """
        model = writing_model(self.case, writer)
        inputs = prompts(self.case, model)
        free = model.generate(**inputs, **settings(model))
        found = model.generate(**inputs, **settings(model), shortlist=listed(free.unique().tolist()))
        assert found.tolist() == free.tolist()

    @each(writer=translators)
    def test_beams_give_what_they_would_give_where_the_other_tokens_have_no_probability(self, writer: Writer) -> None:
        """Beams among some tokens have the scores of a model that has no others.

        Where they have not: ``only`` of the predictions leaves out a bias, a factor or a transform of the
        states.
        """
        model = writing_model(self.case, writer)
        known = _output_tokens(model)
        tokens = {*range(5, min(5 + FREQUENT, known)), known - 3, known - 2}
        model.language_head.predictions = Masked(model.language_head.predictions, tokens)
        options = settings(model, num_beams=3, output_scores=True, return_dict_in_generate=True)
        free = model.generate(**prompts(self.case, model), **options)
        model.language_head.predictions = model.language_head.predictions.predictions
        bounded = model.generate(**prompts(self.case, model), **options, shortlist=listed(sorted(tokens)))
        assert bounded.sequences.tolist() == free.sequences.tolist()
        close(bounded.sequences_scores, free.sequences_scores, "scores of beams among some tokens")

    @each(writer=writers)
    def test_what_it_cannot_be_told_for_is_refused(self, writer: Writer) -> None:
        """A shortlist is refused where no source says what it may be, and with options that contradict it.

        Where it is not: a ``generate`` of the backbone's own passes it over.
        """
        model = writing_model(self.case, writer)
        inputs = prompts(self.case, model)
        if not writer.reads_source:
            said = "shortlist: a source says what its translation may have"
            with refused(said, "a shortlist of a model without a source"):
                model.generate(**inputs, max_new_tokens=2, shortlist=listed([5]))
            return
        shortlist, options = everything(model), settings(model)
        with refused("shortlist contradicts guidance_scale=2", "a shortlist with guidance"):
            model.generate(**inputs, **options, guidance_scale=2.0, shortlist=shortlist)
        with refused("shortlist of type str: must be a tfx_core", "a string as shortlist"):
            model.generate(**inputs, **options, shortlist="file")
        encoder: Any = model.get_encoder()
        encoded = encoder(**inputs)
        with refused("shortlist: needs input_ids", "a shortlist beside an encoder's states"):
            model.generate(
                encoder_outputs=encoded, attention_mask=inputs["attention_mask"], **options, shortlist=shortlist
            )


def _output_tokens(model: Model) -> int:
    layer = model.get_output_embeddings()
    assert isinstance(layer, nn.Linear), f"the output layer is a {type(layer).__name__}"
    return layer.out_features


def _compare(one: Any, other: Any, what: str) -> None:
    """Texts, or all that is returned with them."""
    if isinstance(one, Tensor):
        assert one.tolist() == other.tolist(), f"{what}: {one.tolist()} is written, not {other.tolist()}"
        return
    assert one.sequences.tolist() == other.sequences.tolist(), f"{what}: another text is written"
    for name in ("scores", "logits"):
        for step, (first, second) in enumerate(zip(one[name], other[name], strict=True)):
            close(first, second, f"{what}: {name} of token {step}")
