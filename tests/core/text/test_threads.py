"""One tokenizer serves many threads: calls with different settings leave no trace in each other."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.core.text.folders import small

TEXTS = ["a b c d e f g h", "hello [SEP] world", "the quick brown fox"] * 5

OPTIONS: list[dict[str, Any]] = [
    {},
    {"truncation": True, "max_length": 4},
    {"truncation": True, "max_length": 5, "stride": 1, "return_overflowing_tokens": True},
    {"padding": True},
    {"padding": "max_length", "max_length": 16, "padding_side": "left"},
    {"split_special_tokens": True},
    {"add_special_tokens": False},
]


def in_threads(works: list[Callable[[], None]]) -> list[BaseException]:
    errors: list[BaseException] = []
    start = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        start.wait()
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_calls_with_different_settings_do_not_disturb_each_other(tmp_path: Path) -> None:
    tokenizer = small(tmp_path)
    expected = [tokenizer(TEXTS, **options) for options in OPTIONS]

    def work(options: dict[str, Any], batch: Any) -> None:
        for _ in range(50):
            assert tokenizer(TEXTS, **options) == batch

    assert not in_threads([lambda o=o, b=b: work(o, b) for o, b in zip(OPTIONS, expected, strict=True)])
    assert [tokenizer(TEXTS, **options) for options in OPTIONS] == expected


def test_tokens_added_by_many_threads_are_all_there(tmp_path: Path) -> None:
    tokenizer = small(tmp_path)
    size = len(tokenizer)

    def work(name: int) -> None:
        for i in range(10):
            tokenizer.add_tokens(f"<{name}-{i}>")
            assert len(tokenizer("hello a", truncation=True, max_length=3).input_ids) == 3

    assert not in_threads([lambda name=name: work(name) for name in range(6)])
    assert len(tokenizer) == size + 60
    assert all(tokenizer.tokenize(f"<{name}-{i}>") == [f"<{name}-{i}>"] for name in range(6) for i in range(10))


def test_a_role_can_be_set_while_others_tokenize(tmp_path: Path) -> None:
    # The library refuses to change a tokenizer that is in use, even to what it is already.
    tokenizer = small(tmp_path)
    texts = ["hello the quick " * 500] * 20

    def tokenize() -> None:
        for _ in range(5):
            assert len(tokenizer(texts).input_ids) == 20

    def assign() -> None:
        for _ in range(200):
            time.sleep(0.001)
            tokenizer.pad_token = tokenizer.sep_token
            tokenizer.pad_token = "[PAD]"

    assert not in_threads([tokenize, tokenize, assign])


def test_many_lengths_do_not_pile_up(tmp_path: Path) -> None:
    tokenizer = small(tmp_path)
    for length in range(2, 300):
        assert len(tokenizer(" ".join("a" * 400), truncation=True, max_length=length).input_ids) == length
    assert len(tokenizer.vocabulary._variants) <= 64
