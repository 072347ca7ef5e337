"""Every decoding strategy: it runs, gives what a loop of calls gives, and the same in any batch."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tfx_core.generation import RevealingState
from tfx_core.model import Model
from tfx_testing.architectures.base import CaseChecks
from tfx_testing.checks import each
from tfx_testing.comparing import close
from tfx_testing.refusing import refused
from tfx_testing.writers import (
    LENGTHS,
    SteppedText,
    WholeText,
    Writer,
    decoding,
    exact,
    of_row,
    prompts,
    reader,
    start,
    writers,
    writing_model,
)

IN_ANY_BATCH: Mapping[str, Mapping[str, Any]] = {
    "greedy": {},
    "sampled": {"do_sample": True, "top_k": 9, "seeds": [3, 4, 5]},
    "copies": {"do_sample": True, "top_k": 0, "seeds": [3, 4, 5], "num_return_sequences": 3},
    "filtered copies": {"do_sample": True, "top_p": 0.8, "seeds": [7, 8, 9], "num_return_sequences": 2},
    "beams": {"num_beams": 3, "num_return_sequences": 2},
    "sampled beams": {"num_beams": 3, "do_sample": True, "seeds": [3, 4, 5]},
    "groups": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.7, "num_return_sequences": 3},
    "forced": {"num_beams": 3, "force_words_ids": [[6, 7]]},
    "contrastive": {"penalty_alpha": 0.5, "top_k": 4},
}
ROW, STEPS, BEAMS, PENALTY, ALPHA, CANDIDATES = 1, 5, 4, 0.7, 0.5, 4
"""The row that loops write, which is padded most; new tokens; and what strategies are given."""

Text = WholeText | SteppedText
Loop = Callable[[Text], list[list[int]]]
"""A strategy as its paper has it, over nothing but logits after a text: the new tokens, of the best text first."""


def greedily(text: Text) -> list[list[int]]:
    """The most probable token, each time."""
    new: list[int] = []
    while len(new) < STEPS:
        new.append(int(text.logits(new).argmax()))
    return [new]


def among_even_tokens(text: Text) -> list[list[int]]:
    """The most probable token of those with an even id, each time."""
    new: list[int] = []
    while len(new) < STEPS:
        new.append(2 * int(text.logits(new)[::2].argmax()))
    return [new]


def by_beams(text: Text) -> list[list[int]]:
    """The most probable texts, of those that go on one of the most probable ones so far."""
    return _beams(text, groups=1)


def by_groups(text: Text) -> list[list[int]]:
    """Beams in groups, each of which avoids what earlier ones chose in the same step (arXiv 1610.02424)."""
    return _beams(text, groups=2)


def contrastively(text: Text) -> list[list[int]]:
    """The candidate that is probable, and whose state is like none before (arXiv 2202.06417)."""
    assert isinstance(text, WholeText)
    new: list[int] = []
    while len(new) < STEPS:
        probable = text.logits(new).softmax(-1).topk(CANDIDATES)
        scores = []
        for probability, token in zip(*probable, strict=True):
            states = F.normalize(text.states([*new, int(token)]), dim=-1)
            scores.append((1 - ALPHA) * probability - ALPHA * (states[:-1] @ states[-1]).max())
        new.append(int(probable.indices[torch.stack(scores).argmax()]))
    return [new]


STRATEGIES: Mapping[str, tuple[Mapping[str, Any], Loop]] = {
    "greedy": ({}, greedily),
    "sampling among one": ({"do_sample": True, "top_k": 1, "seeds": [3, 4, 5]}, greedily),
    "prompt lookup": ({"prompt_lookup_num_tokens": 3}, greedily),
    "allowed tokens": ({"prefix_allowed_tokens_fn": lambda row, ids: list(range(0, 10**6, 2))}, among_even_tokens),
    "beams": ({"num_beams": BEAMS, "num_return_sequences": BEAMS}, by_beams),
    "groups": (
        {
            "num_beams": BEAMS,
            "num_beam_groups": 2,
            "diversity_penalty": PENALTY,
            "num_return_sequences": BEAMS,
        },
        by_groups,
    ),
    "contrastive": ({"penalty_alpha": ALPHA, "top_k": CANDIDATES}, contrastively),
}


class SearchChecks(CaseChecks):
    """How tokens are chosen."""

    @each(writer=writers)
    @pytest.mark.parametrize("name", STRATEGIES)
    def test_a_strategy_writes_what_a_loop_of_calls_writes(self, writer: Writer, name: str) -> None:
        """Each strategy over the model's decoding state gives what it gives over calls that read every text anew.

        Where it does not, and greedy search does: the state loses which row is which. ``reorder`` must move keys and
        values of every layer, the mask and the positions; ``expand`` and ``select`` as well. Where greedy search does
        not: a step sees other positions, masks or sources than a call of the whole text.
        """
        case, model = self.case, writing_model(self.case, writer)
        options, loop = STRATEGIES[name]
        options = {**options, **self._of_any_length(model)}
        if "prefix_allowed_tokens_fn" in options:
            layer: Any = model.get_output_embeddings()
            even = list(range(0, len(layer.weight), 2))
            options["prefix_allowed_tokens_fn"] = lambda row, ids: even
        inputs = prompts(case, model)
        if name == "contrastive" and not isinstance(decoding(model, inputs), RevealingState):
            with refused("hidden states", "contrastive search of a state that shows none"):
                model.generate(**inputs, **options)
            return
        if name == "prompt lookup" and not exact(case, model):
            with refused("cannot take tokens back|guess", "prompt lookup of a state that takes no tokens back"):
                model.generate(**inputs, **options)
            return
        found = model.generate(**inputs, **options)
        text = reader(case, model, inputs, ROW)
        if name == "contrastive" and not (isinstance(text, WholeText) and text.is_plain):
            return  # whose states nothing else shows
        copies = len(found) // len(LENGTHS)
        ours = found[ROW * copies : (ROW + 1) * copies, -STEPS:].tolist()
        expected = loop(text)
        assert ours == expected[:copies], f"{name}: generate writes {ours}, a loop of calls {expected[:copies]}"

    @each(writer=writers)
    def test_samples_are_drawn_from_what_calls_give(self, writer: Writer) -> None:
        """Every token of a sample has the logits that a call of its whole text gives, each copy of a row its own.

        Where it has not: the copies of a row share what they remember.
        """
        case, model = self.case, writing_model(self.case, writer)
        inputs = prompts(case, model)
        options: dict[str, Any] = {"do_sample": True, "top_k": 0, "seeds": [3, 4, 5], "num_return_sequences": 2}
        asked = {"output_logits": True, "return_dict_in_generate": True, **self._of_any_length(model)}
        output = model.generate(**inputs, **options, **asked)
        text = reader(case, model, inputs, ROW)
        for copy in (2 * ROW, 2 * ROW + 1):
            new = output.sequences[copy, -STEPS:].tolist()
            for step in range(STEPS):
                what = f"logits of token {step} of sample {copy}, beside those of a call of its text"
                close(output.logits[step][copy].float(), text.logits(new[:step]), what, rtol=1e-3, atol=1e-4)

    @each(writer=writers)
    def test_forced_words_are_written(self, writer: Writer) -> None:
        """Constrained beams write the words that a text is to have.

        Where they do not, and beams do what a loop of calls does: token ids beyond the vocabulary were forced.
        """
        model = writing_model(self.case, writer)
        options: dict[str, Any] = {"num_beams": 3, "force_words_ids": [[6, 7]], **self._of_any_length(model)}
        for row, text in enumerate(model.generate(**prompts(self.case, model), **options)[:, -STEPS:].tolist()):
            assert (6, 7) in pairwise(text), f"the forced word [6, 7] is not in row {row}, {text}"

    @each(writer=writers)
    @pytest.mark.parametrize("name", IN_ANY_BATCH)
    def test_a_text_is_the_same_in_any_batch_with_lookup_or_without(self, writer: Writer, name: str) -> None:
        """What is written of a row depends on nothing beside it, not on texts that end before it, nor on lookup.

        Where it does: what finished leaves the batch, and ``select`` keeps something of other rows.
        """
        case, model = self.case, writing_model(self.case, writer)
        options = {"max_new_tokens": 9, "eos_token_id": 9, "pad_token_id": 0, **IN_ANY_BATCH[name]}
        options["decoder_start_token_id"] = start(model)
        inputs = prompts(case, model)
        if name == "contrastive" and not isinstance(decoding(model, inputs), RevealingState):
            return  # it is refused, as another check says
        together = model.generate(**inputs, **options)
        if "num_beams" not in options and "penalty_alpha" not in options and exact(case, model):
            looked_up = model.generate(**inputs, prompt_lookup_num_tokens=4, **options)
            assert torch.equal(looked_up, together), f"{name}: prompt lookup changes a text"
        copies = options.get("num_return_sequences", 1)
        for row in range(len(LENGTHS)):
            own = {**options, "seeds": options["seeds"][row : row + 1]} if "seeds" in options else options
            texts = model.generate(**of_row(inputs, row), **own)
            expected = together[row * copies : (row + 1) * copies]
            width = texts.shape[1]
            assert texts.tolist() == expected[:, :width].tolist(), f"{name}: row {row} alone is another text"
            assert not expected[:, width:].any(), f"{name}: row {row} goes on after its end"

    def _of_any_length(self, model: Model) -> dict[str, Any]:
        """Options with which a text is written of `STEPS` tokens, whatever they are."""
        lengths = {"max_new_tokens": STEPS, "eos_token_id": None, "pad_token_id": 0}
        return {**lengths, "decoder_start_token_id": start(model)}


def _beams(text: Text, groups: int) -> list[list[int]]:
    """Every group's beams, step by step; all texts are of one length, so that none ends before another."""
    size = BEAMS // groups
    beams: list[list[tuple[float, list[int]]]] = [[(0.0, [])] for _ in range(groups)]
    for _ in range(STEPS):
        chosen: list[int] = []
        for group in range(groups):
            scored = [(score, new, text.logits(new).log_softmax(-1)) for score, new in beams[group]]
            candidates = [
                (score + float(value), [*new, int(token)])
                for score, new, scores in scored
                for value, token in zip(*_without(scores, chosen).topk(2 * BEAMS), strict=True)
            ]
            beams[group] = sorted(candidates, key=lambda each: -each[0])[:size]
            chosen += [new[-1] for _, new in beams[group]]
    return [new for _, new in sorted(chain.from_iterable(beams), key=lambda each: -each[0])]


def _without(scores: Tensor, chosen: Sequence[int]) -> Tensor:
    """Scores from which the penalty is taken for each choice of an earlier group."""
    counts = torch.bincount(torch.tensor(chosen, dtype=torch.long), minlength=len(scores))
    return scores - PENALTY * counts
