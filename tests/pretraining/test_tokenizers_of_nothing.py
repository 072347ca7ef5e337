"""Tokenizers of corpora that have nothing to learn."""

import pytest

from tfx_core.errors import InputError
from tfx_training.vocabularies import train_tokenizer


@pytest.mark.parametrize("like", ["bert", "gpt2", "t5", "ctrl", "transfo-xl"])
def test_a_tokenizer_of_no_words(like: str) -> None:
    for texts in (["", ""], [" \t\n "]):
        with pytest.raises(InputError, match="the corpus has no words: every text is empty"):
            train_tokenizer(texts, like, vocab_size=600)
