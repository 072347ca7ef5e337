"""The example of word alignments knows what is right, and a model that has learned its language aligns it."""

import sys
from itertools import islice
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples/word_alignments"


@pytest.fixture(autouse=True)
def beside_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files import each other by name, and other examples have files of the same."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    for name in ("language", "train"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_a_word_is_translated_by_the_one_that_it_is_aligned_with() -> None:
    from language import Languages

    languages = Languages.made(words=32)
    moved = 0
    for example in islice(languages.examples(0), 200):
        source, target = example.source.split(), example.target.split()
        assert [languages.lexicon[source[place]] for place in example.origins] == target
        assert sorted(example.origins) == list(range(len(source)))
        moved += example.origins != tuple(range(len(source)))
    assert 100 < moved < 200
    noun, other = sorted(languages.lexicon.keys() - languages.adjectives)[:2]
    adjective, further = sorted(languages.adjectives)[:2]
    assert languages.translated([adjective, further, noun, other, adjective]).origins == (2, 0, 1, 3, 4)


def test_the_pieces_of_a_word_are_its_syllables(tmp_path: Path) -> None:
    from language import Languages, saved_tokenizer

    tokenizer, languages = saved_tokenizer(tmp_path), Languages.made(words=32)
    words = [*languages.lexicon, *languages.lexicon.values()]
    lengths = [len(row) - 1 for row in tokenizer(words)["input_ids"]]
    assert lengths == [(1, 2, 2, 3)[number % 4] for number in range(64)]
    assert tokenizer.batch_decode(tokenizer(words)["input_ids"], skip_special_tokens=True) == words


def test_a_model_that_has_learned_the_language_aligns_it(tmp_path: Path) -> None:
    from language import Languages, saved_tokenizer
    from train import fit, new_model, rightly_aligned

    from tfx_core.alignment import best_rule

    languages, tokenizer = Languages.made(words=8, longest=4), saved_tokenizer(tmp_path)
    model = new_model(tokenizer, layers=2, width=64)
    examples = list(islice(languages.examples(1), 100))
    fit(model, tokenizer, languages, steps=200)
    sources, targets = [each.source for each in examples], [each.target for each in examples]
    rule = best_rule(model, tokenizer, sources, targets)
    assert rightly_aligned(model, tokenizer, examples, rule) > 0.8
