"""What tasks tell of a text is in the text: words and answers as they stand there, on every kind of tokenizer."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

import tfx_core
from tests.core.tasks.conftest import Folder
from tfx_core.tasks.splitting import joined
from tfx_core.tasks.windows import word_characters

TEXTS = [
    "New York City",
    " Anna lives\tin New\nYork  City. ",
    "Éire and Zoë\n\nsaw \U0001f600 there",
    "東京 に 住む",
    "a<x>b <x> c<x>",
]
PIECES = ["▁New", "▁York", "▁", "▁lives", "▁in", *map(chr, range(33, 127)), *"▁ÉëZo東京に住む\U0001f600\t\n"]


def bytes_of(prefix: bool) -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({each: number for number, each in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def trimmed() -> Tokenizer:
    tokenizer = bytes_of(True)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    return tokenizer


def pieces(split: bool) -> Tokenizer:
    scores = [("<unk>", 0.0), *((each, -1.0 - len(each) / 10) for each in dict.fromkeys(PIECES))]
    tokenizer = Tokenizer(models.Unigram(scores, 0, False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="always", split=split)
    tokenizer.decoder = decoders.Metaspace("▁", prepend_scheme="always")
    return tokenizer


def words() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "New": 1, "York": 2}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "bytes": lambda: bytes_of(False),
    "bytes behind a blank": lambda: bytes_of(True),
    "bytes without blanks": trimmed,
    "pieces": lambda: pieces(True),
    "pieces across blanks": lambda: pieces(False),
    "words": words,
}


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest, folder: Folder) -> Callable[..., str]:
    def saved(head: str, **config: Any) -> str:
        path = Path(folder(head, vocab_size=400, max_position_embeddings=200, **config))
        tokenizer = KINDS[request.param]()
        tokenizer.add_tokens([AddedToken("<x>", normalized=False)])
        tokenizer.save(str(path / "tokenizer.json"))
        (path / "tokenizer_config.json").write_text('{"model_input_names": ["input_ids", "attention_mask"]}')
        return str(path)

    return saved


@pytest.mark.filterwarnings("ignore:aggregation_strategy")
@pytest.mark.parametrize("strategy", ["simple", "first", "average", "max"])
def test_an_entity_is_what_stands_in_the_text(strategy: str, model: Callable[..., str]) -> None:
    run = tfx_core.pipeline("token-classification", model=model("token-classification", num_labels=40))
    for text, found in zip(TEXTS, run(TEXTS, aggregation_strategy=strategy, ignore_labels=[]), strict=True):
        assert found
        for each in found:
            assert each["word"] == text[each["start"] : each["end"]] == each["word"].strip() != ""
        assert all(one["end"] <= other["start"] for one, other in pairwise(found))
        if strategy != "simple":
            borders = {place for match in re.finditer(r"\S+", text) for place in match.span()}
            assert {place for each in found for place in (each["start"], each["end"])} <= borders
            assert "".join("".join(each["word"].split()) for each in found) == "".join(text.split())


@pytest.mark.filterwarnings("ignore:aggregation_strategy")
def test_words_that_are_given_are_the_words(folder: Folder) -> None:
    run = tfx_core.pipeline("token-classification", model=folder("token-classification", num_labels=99))
    given = [["new york", "dogs", "-cat"]]
    (found,) = run(given, is_split_into_words=True, aggregation_strategy="first", ignore_labels=[])
    assert " ".join(each["word"] for each in found) == "new york dogs -cat"
    assert {each["start"] for each in found} <= {0, 9, 14}


@pytest.mark.parametrize("align", [True, False])
def test_an_answer_is_what_stands_in_the_text(align: bool, model: Callable[..., str]) -> None:
    run = tfx_core.pipeline("question-answering", model=model("question-answering"))
    asked = [{"question": "New York", "context": text} for text in TEXTS]
    for text, answers in zip(TEXTS, run(asked, top_k=20, align_to_words=align), strict=True):
        assert answers
        for each in answers:
            assert each["answer"] == text[each["start"] : each["end"]] == each["answer"].strip() != ""


@pytest.mark.parametrize(
    ("stretch", "first", "expected"),
    [((0, 4), None, (1, 4)), ((4, 6), 4, (6, 6)), ((6, 8), 4, (6, 8)), ((2, 4), 1, (1, 4)), ((2, 5), None, (2, 4))],
)
def test_a_token_has_the_characters_of_its_word(
    stretch: tuple[int, int], first: int | None, expected: tuple[int, int]
) -> None:
    assert word_characters(" abc  de ", *stretch, first) == expected


def test_stretches_are_joined_as_the_language_writes_them() -> None:
    assert joined(["One. ", "", " Two.", "Three"]) == "One. Two. Three"
    assert joined(["你好。", "世界"]) == "你好。世界"
    assert joined(["東京は", "「大きい」", "です"]) == "東京は「大きい」です"
    assert joined(["안녕하세요.", "세계"]) == "안녕하세요. 세계"
    assert joined([" ", ""]) == ""
    assert joined(["OK.", " iOS"], "ja_XX") == joined(["OK.", "iOS"], "zh") == "OK.iOS"
    assert joined(["OK.", " iOS"], "jav") == joined(["OK.", "iOS"], "ko_KR") == "OK. iOS"


def test_the_other_masks_stay_and_nothing_else_does(folder: Folder) -> None:
    fill = tfx_core.pipeline("fill-mask", model=folder("masked-lm"))
    first, second = fill("bob [MASK] in [MASK]", targets=["sing"])
    assert first[0]["sequence"] == "bob sing in [MASK]"
    assert second[0]["sequence"] == "bob [MASK] in sing"
    assert fill("bob [MASK]", targets=["[MASK]"])[0]["sequence"] == "bob"
    with pytest.raises(tfx_core.errors.InputError, match="targets is empty"):
        fill("bob [MASK]", targets=[])
    with pytest.raises(tfx_core.errors.InputError, match=r"the text has no \[MASK\]"):
        fill("bob sings")
