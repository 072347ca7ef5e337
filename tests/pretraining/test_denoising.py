"""Denoising and gap sentences with tokenizers as they were released: what stands around texts, and bad input."""

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfx_core
from tests.cases import case_of
from tests.core.text.folders import write
from tests.pretraining.texts import SENTENCES
from tfx_core.errors import InputError
from tfx_core.model.heads import IGNORED
from tfx_training import Document, Part, TokenCorpus
from tfx_training.objective import generator_of
from tfx_training.objectives.denoising import Denoising
from tfx_training.objectives.gap_sentences import GapSentences, GapSentencesAndWords


def tokenizer_of(model_type: str, folder: Path, **config: Any) -> tfx_core.Tokenizer:
    files = {"config.json": {"model_type": model_type}, "tokenizer_config.json": config}
    return tfx_core.load_tokenizer(write(folder, {**case_of(model_type).released(), **files}))


def in_language(*names: str) -> list[Document]:
    """A document of two sentences in each."""
    return [Document((Part("ab abc. hello world.", [7], name),)) for name in names]


def examples(objective: Any, corpus: TokenCorpus) -> list[Any]:
    rows = objective.rows(corpus, generator_of(0))
    return [objective.example(rows[number], generator_of(0, number)) for number in range(len(rows))]


def test_labels_are_the_text_as_the_tokenizer_gives_it(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("bart", tmp_path)
    corpus = TokenCorpus.of(tokenizer, in_language(""))
    for noises in (["permutation"], ["masking"], ["deletion"], ["infilling"], ["rotation"]):
        (example,) = examples(Denoising(tokenizer, noises=noises), corpus)
        assert example["labels"].tolist() == tokenizer("ab abc. hello world.")["input_ids"]
        assert example["input_ids"][0] == tokenizer.bos_token_id
        assert example["input_ids"][-1] == tokenizer.eos_token_id


@pytest.mark.parametrize(("tokenizer_class", "code_first"), [("MBartTokenizer", False), ("MBart50Tokenizer", True)])
def test_each_text_stands_in_its_language(tmp_path: Path, tokenizer_class: str, code_first: bool) -> None:
    tokenizer = tokenizer_of("mbart", tmp_path, tokenizer_class=tokenizer_class)
    corpus = TokenCorpus.of(tokenizer, in_language("de_DE", "ro_RO"))
    objective = Denoising(tokenizer, noises=["permutation"], random=0.0)
    for example, language in zip(examples(objective, corpus), ("de_DE", "ro_RO"), strict=True):
        end = tokenizer.eos_token_id
        first, second = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("ab abc.", "hello world."))
        text, code = [*first, end, *second, end], tokenizer.lang_code_to_id[language]
        assert example["labels"].tolist() == ([code, *text] if code_first else [*text, code])
        swapped = [*second, end, *first, end]
        framed = [[code, *each] if code_first else [*each, code] for each in (text, swapped)]
        assert example["input_ids"].tolist() in framed


def test_rates_are_those_of_the_released_models(tmp_path: Path) -> None:
    assert Denoising(tokenizer_of("bart", tmp_path / "bart")).rate == 0.3
    assert Denoising(tokenizer_of("mbart", tmp_path / "mbart")).rate == 0.35


def test_a_share_of_all_words_is_hidden(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("bart", tmp_path)
    corpus = TokenCorpus.of(tokenizer, SENTENCES)
    objective = Denoising(tokenizer, noises=["masking"], random=0.0)
    found = examples(objective, corpus)
    ids = np.concatenate([example["input_ids"] for example in found])
    labels = np.concatenate([example["labels"] for example in found])
    special = np.isin(labels, tokenizer.all_special_ids)
    assert (ids[special] == labels[special]).all()
    assert (ids[~special] == tokenizer.mask_token_id).mean() == pytest.approx(0.3, abs=0.03)  # at least 30 % of each


def test_rows_are_as_long_as_they_may_be(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("mbart", tmp_path)
    corpus = TokenCorpus.of(tokenizer, [Document((Part("a b. " * 50, range(4, 250, 5), "en_XX"),))])
    lengths = [len(example["labels"]) for example in examples(Denoising(tokenizer, length=20), corpus)]
    assert max(lengths) <= 20 < max(lengths) + len(tokenizer("a b.", add_special_tokens=False)["input_ids"]) + 1


@pytest.mark.parametrize("whole_words", [True, False])
def test_masks_of_no_words_make_no_row_too_long(tmp_path: Path, whole_words: bool) -> None:
    tokenizer = tokenizer_of("mbart", tmp_path)
    corpus = TokenCorpus.of(tokenizer, [Document((Part("a b. " * 500, range(4, 2500, 5), "en_XX"),))])
    objective = Denoising(tokenizer, length=40, mean_span=0.5, whole_words=whole_words)
    found = examples(objective, corpus)
    assert max(len(example["input_ids"]) for example in found) == 40
    for example in found:  # what is behind a text is not cut
        assert example["input_ids"][-2:].tolist() == example["labels"][-2:].tolist()


def test_in_languages_without_blanks_tokens_are_hidden_one_by_one(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("mbart", tmp_path)
    text = "lmnopqrstuv"
    corpus = TokenCorpus.of(
        tokenizer, [Document((Part(text, group=name),)) for name in ("de_DE", "my_MM", "zh_CN") for _ in range(5)]
    )
    size = len(tokenizer(text, add_special_tokens=False)["input_ids"])
    for options, by_token in (({}, ["my_MM", "zh_CN"]), ({"tokens_in": ["de_DE"]}, ["de_DE"])):
        objective = Denoising(tokenizer, noises=["masking"], random=0.0, **options)
        for row in objective.rows(corpus, generator_of(0)):
            hidden = int((objective.example(row, generator_of(0))["input_ids"] == tokenizer.mask_token_id).sum())
            assert hidden == (math.ceil(0.35 * size) if row.group in by_token else size)


def test_a_word_of_bytes_begins_at_a_blank(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("bart", tmp_path)
    words = ["ab's", " (abc),", " ab's!", " abc"]
    corpus = TokenCorpus.of(tokenizer, ["".join(words)])
    sizes = [len(tokenizer(word, add_special_tokens=False)["input_ids"]) for word in words]
    ends = np.cumsum(sizes)
    chosen = set()
    for seed in range(40):
        objective = Denoising(tokenizer, noises=["masking"], random=0.0, rate=0.25)
        (row,) = objective.rows(corpus, generator_of(0))
        hidden = objective.example(row, generator_of(seed))["input_ids"][1:-1] == tokenizer.mask_token_id
        chosen.add(tuple(np.flatnonzero(hidden).tolist()))
    assert chosen == {tuple(range(end - size, end)) for end, size in zip(ends, sizes, strict=True)}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"noises": []}, "noises"),
        ({"tokens_in": "ja_XX"}, "tokens_in='ja_XX'"),
        ({"noises": ["shuffling"]}, "noises"),
        ({"rate": 0.0}, "rate=0.0"),
        ({"rate": 1.5}, "rate=1.5"),
        ({"mean_span": 0.0}, "mean_span=0.0"),
        ({"length": 2}, "length=2"),
        ({"random": 2.0}, "random=2.0"),
        ({"exponent": -1.0}, "exponent=-1.0"),
    ],
)
def test_options_of_denoising(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Denoising(tokenizer_of("bart", tmp_path), **options)


def test_a_corpus_without_sentences(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("bart", tmp_path)
    corpus = TokenCorpus.of(tokenizer, ["ab abc. hello world."])
    with pytest.raises(InputError, match="leave 'permutation' out"):
        Denoising(tokenizer).rows(corpus, generator_of(0))
    assert len(Denoising(tokenizer, noises=["infilling"]).rows(corpus, generator_of(0))) == 1
    tokenizer = tokenizer_of("pegasus", tmp_path / "pegasus")
    with pytest.raises(InputError, match="no text of the corpus has two sentences"):
        GapSentences(tokenizer).rows(TokenCorpus.of(tokenizer, ["ab abc. hello world."]), generator_of(0))


def test_languages_with_few_texts_come_more_often(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("mbart", tmp_path)
    corpus = TokenCorpus.of(tokenizer, in_language(*["de_DE"] * 90, *["ro_RO"] * 10))
    drawn = [row.group for row in Denoising(tokenizer).rows(corpus, generator_of(0))]
    assert len(drawn) == 100
    assert drawn.count("ro_RO") == round(100 * 10**0.7 / (10**0.7 + 90**0.7))
    tokenizer = tokenizer_of("bart", tmp_path / "bart")
    corpus = TokenCorpus.of(tokenizer, in_language(*["de_DE"] * 90, *["ro_RO"] * 10))
    assert [row.group for row in Denoising(tokenizer).rows(corpus, generator_of(0))].count("ro_RO") == 10


def test_they_can_be_sent_to_other_processes(tmp_path: Path) -> None:
    for model_type, objective in (("mbart", Denoising), ("pegasus", GapSentencesAndWords)):
        tokenizer = tokenizer_of(model_type, tmp_path / model_type)
        corpus = TokenCorpus.of(tokenizer, SENTENCES[:4])
        here = objective(tokenizer)
        before = examples(here, corpus)
        there = pickle.loads(pickle.dumps(here))
        assert [each["labels"].tolist() for each in examples(there, corpus)] == [
            each["labels"].tolist() for each in before
        ]


@pytest.mark.parametrize("group", ["", "en"])
def test_a_corpus_without_languages(tmp_path: Path, group: str) -> None:
    tokenizer = tokenizer_of("mbart", tmp_path)
    with pytest.raises(InputError, match=rf"group='{group}': .*en_XX"):
        Denoising(tokenizer).rows(TokenCorpus.of(tokenizer, in_language(group)), generator_of(0))


def test_tokenizers_without_masks(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("bart", tmp_path)
    tokenizer.mask_token = None
    with pytest.raises(InputError, match="no mask_token"):
        Denoising(tokenizer)
    with pytest.raises(InputError, match="sentence_mask='<mask_1>'"):
        GapSentences(tokenizer)


def test_tokenizers_without_ends(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("bart", tmp_path)
    tokenizer.eos_token = None
    with pytest.raises(InputError, match="no eos_token"):
        Denoising(tokenizer)
    tokenizer = tokenizer_of("pegasus", tmp_path / "pegasus")
    tokenizer.pad_token = None
    with pytest.raises(InputError, match="no pad_token"):
        GapSentences(tokenizer).of_tokenizer()


def test_gaps_are_the_labels(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("pegasus", tmp_path)
    corpus = TokenCorpus.of(tokenizer, SENTENCES)
    mask, end = tokenizer.convert_tokens_to_ids("<mask_1>"), tokenizer.eos_token_id
    objective = GapSentences(tokenizer, kept=0.0)
    rows = objective.rows(corpus, generator_of(0))
    shares = []
    for number, row in enumerate(rows):
        example = objective.example(row, generator_of(0, number))
        *ids, last = example["input_ids"].tolist()
        *labels, end_of_labels = example["labels"].tolist()
        assert last == end_of_labels == end
        sentences = [sentence.ids.tolist() for sentence in row.sentences]
        shares.append(ids.count(mask) / len(sentences))
        while mask in ids:  # filled with whole sentences, in order
            place = ids.index(mask)
            whole = sentences[[sum(map(len, sentences[:each])) for each in range(len(sentences))].index(place)]
            assert labels[: len(whole)] == whole
            ids[place : place + 1], labels = whole, labels[len(whole) :]
        assert labels == []
        assert ids == [number for sentence in sentences for number in sentence]
    assert max(shares) <= 0.5


def test_from_15_to_45_percent_of_the_sentences_are_gaps(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("pegasus", tmp_path)
    text = " ".join(["a."] * 100)
    corpus = TokenCorpus.of(tokenizer, [Document((Part(text, range(2, len(text), 3)),))] * 200)
    mask = tokenizer.convert_tokens_to_ids("<mask_1>")
    shares = [
        int((each["input_ids"] == mask).sum()) / 100 for each in examples(GapSentences(tokenizer, kept=0), corpus)
    ]
    assert min(shares) >= 0.15
    assert max(shares) < 0.45
    assert np.mean(shares) == pytest.approx(0.3, abs=0.02)
    assert np.std(shares) == pytest.approx(0.3 / 12**0.5, abs=0.01)


def test_what_is_written_is_cut(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("pegasus", tmp_path)
    corpus = TokenCorpus.of(tokenizer, SENTENCES)
    cut, whole = (examples(GapSentences(tokenizer, target_length=length), corpus) for length in (8, 512))
    for short, full in zip(cut, whole, strict=True):
        assert short["labels"].tolist() == full["labels"][:8].tolist()


def test_words_are_hidden_from_the_encoder_besides(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("pegasus", tmp_path)
    corpus = TokenCorpus.of(tokenizer, SENTENCES)
    alone, both = (examples(objective(tokenizer), corpus) for objective in (GapSentences, GapSentencesAndWords))
    for gaps, words in zip(alone, both, strict=True):
        assert words["labels"].tolist() == gaps["labels"].tolist()
        hidden = words["word_labels"] != IGNORED
        assert hidden.any()
        assert np.where(hidden, words["word_labels"], words["input_ids"]).tolist() == gaps["input_ids"].tolist()
        assert not np.isin(gaps["input_ids"][hidden], tokenizer.all_special_ids).any()


def test_what_tokens_count_as(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("pegasus", tmp_path)
    objective = GapSentences(tokenizer, stop_words=["hello"])
    scored, number = objective._scored, tokenizer.convert_tokens_to_ids
    assert scored[number("▁hello")] == scored[number(".")] == scored[number("<mask_1>")] == -1
    assert scored[number("A")] == scored[number("a")] >= 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"strategy": "principal"}, "strategy='principal'"),
        ({"ratios": [0.0, 0.5]}, "ratios"),
        ({"ratios": [0.5, 0.2]}, "ratios"),
        ({"noise": -1.0}, "noise"),
        ({"kept": 2.0}, "kept"),
        ({"target_length": 0}, "target_length=0"),
    ],
)
def test_options_of_gaps(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        GapSentences(tokenizer_of("pegasus", tmp_path), **options)
