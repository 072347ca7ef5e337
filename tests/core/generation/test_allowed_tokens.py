"""`prefix_allowed_tokens_fn` with every search: only open texts that it allowed are asked about, and answers are found.

A trie of few texts, as entity retrieval has it (arXiv 2010.00904).
"""

import itertools
from typing import Any

import pytest
import torch

from tests.core.generation.toys import EOS, Table, new, run
from tfx_core.errors import InputError
from tfx_core.generation import Rows

SEARCHES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sample": {"do_sample": True, "seed": 3, "num_return_sequences": 2},
    "lookup": {"prompt_lookup_num_tokens": 3},
    "contrastive": {"penalty_alpha": 0.9, "top_k": 5},
    "beams": {"num_beams": 5},
    "early": {"num_beams": 5, "early_stopping": True},
    "never early": {"num_beams": 5, "early_stopping": "never", "length_penalty": 2.0},
    "sampled beams": {"num_beams": 5, "do_sample": True, "seed": 3},
    "groups": {"num_beams": 6, "num_beam_groups": 3, "diversity_penalty": 5.0},
    "forced": {"num_beams": 5, "force_words_ids": [[4]]},
}
BEAMS = [name for name, options in SEARCHES.items() if "num_beams" in options]
ENTRIES = [[2, 3, EOS], [2, 4, 5, EOS], [4, EOS], [6, 4, 4, 4, EOS]]
PROMPTS = [[3, 7], [8, 2, 2], [5]]


class Trie:
    """The texts that each row may be; asked about anything else it fails."""

    def __init__(self, entries: list[list[int]], prompts: list[list[int]], *, dead_ends: tuple[int, ...] = ()) -> None:
        self.entries = entries
        self.prompts = prompts
        self.dead_ends = dead_ends

    def __call__(self, row: int, tokens: torch.Tensor) -> list[int]:
        prompt, text = self.prompts[row], tokens.tolist()
        assert text[: len(prompt)] == prompt
        written = text[len(prompt) :]
        if written and written[-1] in self.dead_ends:
            return []
        following = [
            entry[len(written)] for entry in self.entries if entry[: len(written)] == written and entry != written
        ]
        assert following, f"asked about {written}, which has ended or was never allowed"
        return sorted({*following, *(() if written else self.dead_ends)})

    def arguments(self, name: str) -> dict[str, Any]:
        # a group that is done stays beside the others, and conditions see it
        criteria = [] if name == "groups" else [self.criterion]
        return {"prefix_allowed_tokens_fn": self, "stopping_criteria": criteria}

    def criterion(self, rows: Rows) -> torch.Tensor:
        """A condition that ends nothing, and fails for a text that is the beginning of no entry."""
        for row, source in enumerate(rows.sources.tolist()):
            written = rows.tokens(row).tolist()[len(self.prompts[source]) :]
            known = any(entry[: len(written)] == written for entry in self.entries)
            assert known or written[-1] in self.dead_ends, written
        return torch.zeros_like(rows.lengths, dtype=torch.bool)


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_trie_of_fewer_entries_than_beams(name: str, count: int) -> None:
    entries = ENTRIES[-count:]
    for seed in range(5):
        trie = Trie(entries, PROMPTS)
        arguments = trie.arguments(name)
        output = run(Table(seed=seed), PROMPTS, max_new_tokens=9, arguments=arguments, **SEARCHES[name])
        found = new(output, PROMPTS)
        assert len(found) == len(PROMPTS) * SEARCHES[name].get("num_return_sequences", 1)
        assert all(text in entries for text in found), found


@pytest.mark.parametrize("name", sorted({*BEAMS} - {"groups"}))  # groups may find the same
def test_each_entry_is_found_once_and_what_is_missing_is_told(name: str) -> None:
    options = {**SEARCHES[name], "num_return_sequences": SEARCHES[name]["num_beams"]}
    with_word = [entry for entry in ENTRIES if name != "forced" or 4 in entry]
    for seed in range(5):
        trie = Trie(ENTRIES, PROMPTS)
        with pytest.warns(UserWarning, match=r"row 0: there are only \d texts, where \d are asked for"):
            output = run(
                Table(seed=seed), PROMPTS, max_new_tokens=9, arguments={"prefix_allowed_tokens_fn": trie}, **options
            )
        assert output.sequences_scores is not None
        beams = options["num_beams"]
        for row, scores in enumerate(output.sequences_scores.view(len(PROMPTS), -1).isfinite().tolist()):
            texts = output.sequences[row * beams : (row + 1) * beams, 3:].tolist()
            found = [text[: text.index(EOS) + 1] for text, real in zip(texts, scores, strict=True) if real]
            assert all(not any(text) for text, real in zip(texts, scores, strict=True) if not real)
            assert len(found) == len({tuple(text) for text in found})
            assert {tuple(text) for text in found} <= {tuple(entry) for entry in with_word}
            if name in ("beams", "never early"):
                assert sorted(found) == sorted(ENTRIES)


@pytest.mark.parametrize("name", BEAMS)
def test_beams_leave_dead_ends(name: str) -> None:
    for seed in range(5):
        trie = Trie(ENTRIES, PROMPTS, dead_ends=(7, 8))
        arguments = trie.arguments(name)
        found = new(run(Table(seed=seed), PROMPTS, max_new_tokens=9, arguments=arguments, **SEARCHES[name]), PROMPTS)
        assert all(text in ENTRIES for text in found)


@pytest.mark.parametrize("name", SEARCHES)
def test_where_nothing_is_possible_the_row_is_named(name: str) -> None:
    def allowed(row: int, tokens: torch.Tensor) -> list[int]:
        return [2, 4] if row != 1 or len(tokens) == len(PROMPTS[1]) else []

    with pytest.raises(InputError, match=r"row 1: every token is banned after \[8, 2, 2, [24]\]"):
        run(Table(), PROMPTS, max_new_tokens=4, arguments={"prefix_allowed_tokens_fn": allowed}, **SEARCHES[name])


@pytest.mark.parametrize("token", [-1, 9])
def test_what_is_allowed_is_in_the_vocabulary(token: int) -> None:
    with pytest.raises(InputError, match=f"prefix_allowed_tokens_fn: token {token} is outside the vocabulary of 9"):
        run(Table(), [[3, 7]], arguments={"prefix_allowed_tokens_fn": lambda row, tokens: [2, token]})


def test_no_allowed_text_has_the_forced_word() -> None:
    trie = Trie([[2, 3, EOS]], [[3, 7]])
    with pytest.raises(InputError, match="row 0: no text that may be written has all forced words"):
        run(Table(), [[3, 7]], max_new_tokens=9, arguments={"prefix_allowed_tokens_fn": trie}, **SEARCHES["forced"])


def test_contrastive_search_takes_nothing_banned() -> None:
    """However unlike the text it is."""
    for seed in range(10):
        output = run(
            Table(seed=seed), PROMPTS, max_new_tokens=6, suppress_tokens=[2, 3, 4, 5, 6], penalty_alpha=1.0, top_k=9
        )
        assert not set(itertools.chain(*new(output, PROMPTS))) & {2, 3, 4, 5, 6}
