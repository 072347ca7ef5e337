"""Beam search in all its kinds: exact where it must be, each source for itself."""

import itertools
from typing import Any

import pytest
import torch

from tests.core.generation.toys import EOS, Table, TableState, found, new, padded, run
from tfx_core.errors import InputError
from tfx_core.generation import GenerationOptions

TEXTS = [[3, 4], [5], [2, 2, 8, 2], [4, 4, 4]]

KINDS: dict[str, dict[str, Any]] = {
    "beams": {"num_beams": 3, "num_return_sequences": 3},
    "early": {"num_beams": 4, "early_stopping": True, "num_return_sequences": 2},
    "never early": {"num_beams": 3, "early_stopping": "never", "length_penalty": 1.8},
    "sampled": {"num_beams": 3, "do_sample": True, "seeds": [5, 6, 7, 8], "top_k": 5, "num_return_sequences": 2},
    "sampled from all": {"num_beams": 2, "do_sample": True, "seeds": [5, 6, 7, 8], "top_k": 0, "temperature": 2.0},
    "groups": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.8, "num_return_sequences": 4},
    "forced": {"num_beams": 4, "force_words_ids": [[6, 7], [[5, 2], [8]]]},
}


def best_by_hand(table: Table, text: list[int], count: int, length_penalty: float) -> list[tuple[float, list[int]]]:
    """All texts of up to ``count`` new tokens, the best first."""
    texts = []
    for length in range(1, count + 1):
        for tokens in itertools.product(range(table.size), repeat=length):
            if EOS in tokens[:-1] or (length < count and tokens[-1] != EOS):
                continue
            total = 0.0
            for place, token in enumerate(tokens):
                total += float(table.after([*text, *tokens[:place]]).log_softmax(0)[token])
            texts.append((total / length**length_penalty, list(tokens)))
    return sorted(texts, reverse=True)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0])
def test_wide_beams_find_the_best_texts_there_are(length_penalty: float) -> None:
    for seed in range(4):
        table = Table(size=5, seed=seed)
        texts = [[3, 4], [2]]
        output = run(
            table, texts, num_beams=125, early_stopping="never", length_penalty=length_penalty, max_new_tokens=4,
            num_return_sequences=3,
        )  # fmt: skip
        tokens = new(output, texts)
        for row, text in enumerate(texts):
            expected = best_by_hand(table, text, 4, length_penalty)[:3]
            assert tokens[3 * row : 3 * row + 3] == [tokens for _, tokens in expected]
            scores = torch.tensor([score for score, _ in expected])
            assert output.sequences_scores is not None
            torch.testing.assert_close(output.sequences_scores[3 * row : 3 * row + 3], scores, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_source_is_the_same_in_any_batch(kind: str, side: str) -> None:
    options = {"max_new_tokens": 9, **KINDS[kind]}
    count = options.get("num_return_sequences", 1)
    for seed in range(6):
        table = Table(seed=seed, sharpness=1.2)
        whole = found(table, TEXTS, side=side, **options)
        for row, text in enumerate(TEXTS):
            alone = {**options, "seeds": [options["seeds"][row]]} if "seeds" in options else options
            assert found(table, [text], **alone) == whole[row * count : (row + 1) * count]


@pytest.mark.parametrize("kind", KINDS)
def test_greatest_length_counts_each_rows_own_tokens(kind: str) -> None:
    options = {"max_length": 9, **KINDS[kind]}
    count = options.get("num_return_sequences", 1)
    table = Table(seed=3, sharpness=0.8)
    texts = found(table, TEXTS, eos_token_id=None, **options)
    for row, text in enumerate(TEXTS):
        alone = {**options, "seeds": [options["seeds"][row]]} if "seeds" in options else options
        for mine, same in zip(texts[row * count :], found(table, [text], eos_token_id=None, **alone), strict=False):
            assert mine[: 9 - len(text)] == same


@pytest.mark.parametrize("kind", KINDS)
def test_sources_leave_when_they_are_done(kind: str) -> None:
    """Every source costs as many steps as it does alone."""
    options = {"max_new_tokens": 12, **KINDS[kind]}
    beams = options["num_beams"]
    for seed in range(4):
        table = Table(seed=seed, sharpness=3.0)
        whole, alone = TableState(table, TEXTS), []
        run(table, TEXTS, state=whole, **options)
        for row, text in enumerate(TEXTS):
            alone.append(TableState(table, [text]))
            own = {**options, "seeds": [options["seeds"][row]]} if "seeds" in options else options
            run(table, [text], state=alone[-1], **own)
        steps = [rows for name, rows in whole.log if name == "step"]
        counts = [sum(name == "step" for name, _ in state.log) for state in alone]
        assert steps == [beams * sum(count > step for count in counts) for step in range(max(counts))]


def test_rows_are_moved_only_when_their_order_changes() -> None:
    table = Table(seed=0)
    # with one continuation for each beam nothing ever changes places
    table.logits[:] = -50.0
    for last in range(9):
        table.logits[:, last, last % 8 + 1] = 0.0
    table.logits[3, 4, 7] = -0.1
    state = TableState(table, [[3, 4]])
    run(table, [[3, 4]], state=state, num_beams=2, max_new_tokens=6, eos_token_id=[0])
    assert [name for name, _ in state.log] == ["prefill", "reorder"] + ["step"] * 5


def test_beam_indices_lead_to_the_scores() -> None:
    table = Table(seed=2)
    output = run(
        table, TEXTS, num_beams=3, num_return_sequences=2, max_new_tokens=8, output_scores=True,
        return_dict_in_generate=True, length_penalty=0.0,
    )  # fmt: skip
    assert output.scores is not None
    assert output.beam_indices is not None
    assert output.sequences_scores is not None
    begin = max(map(len, TEXTS))
    for row in range(8):
        total = 0.0
        for place, beam in enumerate(output.beam_indices[row].tolist()):
            if beam >= 0:
                assert beam // 3 == row // 2
                total += float(output.scores[place][beam, output.sequences[row, begin + place]])
        assert total == pytest.approx(float(output.sequences_scores[row]), abs=1e-4)


def test_beams_of_a_certain_text() -> None:
    """Where only one text is possible, it is found, however few continuations there are for the other beams."""
    table = Table(seed=4, size=6)
    path = [2, 3, 4, 5, EOS]

    def allowed(row: int, tokens: torch.Tensor) -> list[int]:
        return [path[min(len(tokens) - 2, 4)]]

    output = run(table, [[3, 3]], num_beams=4, max_new_tokens=10, arguments={"prefix_allowed_tokens_fn": allowed})
    assert new(output, [[3, 3]]) == [path]


def test_allowed_tokens_see_the_row_and_no_padding() -> None:
    seen: set[tuple[int, tuple[int, ...]]] = set()

    def allowed(row: int, tokens: torch.Tensor) -> list[int]:
        seen.add((row, tuple(tokens.tolist())))
        return [2, 3, 4]

    run(Table(), TEXTS, num_beams=2, max_new_tokens=3, arguments={"prefix_allowed_tokens_fn": allowed})
    assert {(row, tokens[: len(TEXTS[row])]) for row, tokens in seen} == {
        (row, tuple(text)) for row, text in enumerate(TEXTS)
    }


def test_groups_avoid_each_other() -> None:
    for seed in range(5):
        table = Table(seed=seed)
        options = {"num_beams": 4, "num_beam_groups": 4, "num_return_sequences": 4, "max_new_tokens": 1}
        options["eos_token_id"] = None
        texts = found(table, TEXTS, diversity_penalty=1000.0, **options)
        for row in range(len(TEXTS)):
            assert len({text[0] for text in texts[4 * row : 4 * row + 4]}) == 4
        alike = found(table, TEXTS, diversity_penalty=1e-6, **options)
        for row in range(len(TEXTS)):
            assert len({text[0] for text in alike[4 * row : 4 * row + 4]}) == 1


def test_sampling_in_beams_takes_the_filters_into_account() -> None:
    table = Table(seed=5, sharpness=1.0)
    options = {"num_beams": 2, "do_sample": True, "seed": 1, "max_new_tokens": 6}
    # two candidates are kept at least, or a beam could not go on when one of them ends the text
    output = run(table, TEXTS, top_k=1, output_scores=True, return_dict_in_generate=True, **options)
    assert output.scores is not None
    assert (output.scores[0].isfinite().sum(1) == 2).all()


@pytest.mark.parametrize("kind", ["beams", "groups"])
def test_stop_conditions_end_a_beam_like_an_end_token(kind: str) -> None:
    table = Table(seed=6, sharpness=1.0)
    options = {"max_new_tokens": 8, "eos_token_id": None, **KINDS[kind]}
    ends_there = run(table, TEXTS, arguments={"stopping_criteria": [lambda rows: rows.last == 7]}, **options)
    begin = max(map(len, TEXTS))
    texts = [row[: row.index(7) + 1] if 7 in row else row for row in ends_there.sequences[:, begin:].tolist()]
    assert any(text[-1] == 7 and len(text) < 8 for text in texts)
    same = {**options, "eos_token_id": 7, "pad_token_id": 0}
    if kind == "beams":
        # the number of continuations looked at depends on the number of end tokens: both are 2 for each beam here
        assert new(run(table, TEXTS, **same), TEXTS, eos=7) == texts


@pytest.mark.parametrize("kind", ["beams", "early", "groups", "forced"])
def test_texts_of_any_score_are_found(kind: str) -> None:
    options = {"max_new_tokens": 9, **KINDS[kind], "length_penalty": -30.0, "num_return_sequences": 1}
    output = run(Table(seed=1), TEXTS, **options)
    assert output.sequences_scores is not None
    assert (output.sequences_scores > float("-inf")).all()
    assert all(new(output, TEXTS))


def test_a_beam_for_every_token_and_more() -> None:
    table = Table(size=3, seed=1)
    assert len(found(table, [[2, 2]], num_beams=20, num_return_sequences=5, max_new_tokens=4)) == 5


def test_options_of_beams_are_checked() -> None:
    for wrong in (
        {"num_beams": 4, "do_sample": True, "num_beam_groups": 2, "diversity_penalty": 0.5},
        {"num_beams": 4, "num_beam_groups": 3, "diversity_penalty": 0.5},
        {"num_beams": 4, "num_beam_groups": 2},
        {"num_beams": 2, "num_return_sequences": 3},
        {"num_beams": 2, "penalty_alpha": 0.5},
        {"num_beams": 2, "prompt_lookup_num_tokens": 3},
        {"force_words_ids": [[3]]},
        {"num_beams": 2, "force_words_ids": [[3]], "do_sample": True},
    ):
        with pytest.raises(InputError):
            GenerationOptions(**wrong)


def test_streaming_needs_one_beam() -> None:
    class Silent:
        def put(self, value: torch.Tensor) -> None: ...

        def end(self) -> None: ...

    with pytest.raises(InputError, match="num_beams=1"):
        run(Table(), TEXTS, num_beams=2, max_new_tokens=3, arguments={"streamer": Silent()})


def test_padding_is_not_read() -> None:
    ids, mask = padded(TEXTS, "right")
    assert int(mask.sum()) == sum(map(len, TEXTS))
    noisy = ids + (1 - mask) * 5
    assert not torch.equal(noisy, ids)
    from tfx_core.generation import Prompts, decode

    table = Table(seed=7)
    options = GenerationOptions(num_beams=3, max_new_tokens=6, eos_token_id=EOS, pad_token_id=0, repetition_penalty=1.5)
    first = decode(TableState(table, TEXTS), Prompts.from_padded(ids, mask), options)
    second = decode(TableState(table, TEXTS), Prompts.from_padded(noisy, mask), options)
    assert torch.equal(first.sequences[:, 4:], second.sequences[:, 4:])
