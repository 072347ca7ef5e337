"""What a generator reads for a question, and the tokenizers of both sides."""

from pathlib import Path

import pytest
import torch

import tfx_core
from tests.retrieval.conftest import WORDS
from tfx_core.errors import CheckpointError, InputError
from tfx_retrieval import Passage
from tfx_retrieval.rag.contexts import ContextForm, ContextReader, context_batch
from tfx_retrieval.rag.tokenizers import RagTokenizer

CAT = Passage("the cat sat on the mat", topic="cat")


def test_a_context_is_title_text_and_question() -> None:
    form = ContextForm(prefix="ask: ")
    assert form.text("the sea", CAT) == "ask: cat / the cat sat on the mat // the sea"


def test_quotes_around_a_title_and_doubled_blanks_go() -> None:
    assert ContextForm().text("q  r", Passage("a  b", topic='"The sea"')) == "The sea / a b // q r"


@pytest.mark.parametrize("limit", range(9, 20))
def test_a_context_that_is_too_long_loses_words_of_its_passage_and_never_the_question(
    tiny_bert: Path, limit: int
) -> None:
    tokenizer = tfx_core.load_tokenizer(tiny_bert)
    form = ContextForm(title_sep=" : ", doc_sep=" : ", max_combined_length=limit)
    (row,) = ContextReader(tokenizer, form).rows("bread is baked", [CAT])
    text = tokenizer.decode(row, skip_special_tokens=True)
    assert len(row) <= limit
    assert text.startswith("cat :")
    assert text.endswith(": bread is baked")
    (whole,) = ContextReader(tokenizer, ContextForm(title_sep=" : ", doc_sep=" : ")).rows("bread is baked", [CAT])
    assert len(row) == min(limit, len(whole))


def test_the_positions_of_the_generator_bound_a_context_too(tiny_bert: Path) -> None:
    reader = ContextReader(tfx_core.load_tokenizer(tiny_bert), ContextForm(), positions=12)
    assert len(reader.rows("bread", [CAT])[0]) == 12


def test_a_question_that_is_too_long_for_any_context_is_told(tiny_bert: Path) -> None:
    reader = ContextReader(tfx_core.load_tokenizer(tiny_bert), ContextForm(max_combined_length=6))
    with pytest.raises(InputError, match="more than the 6 tokens of a context; ask with fewer words"):
        reader.rows("the boat sails on the sea", [CAT])


def test_where_fewer_are_found_there_is_no_token_and_no_probability() -> None:
    batch = context_batch([[[5, 6, 7], [8]], [[9]]], [[0.5, 0.25], [1.0]], pad=3)
    assert batch["doc_scores"].tolist() == [[0.5, 0.25], [1.0, float("-inf")]]
    assert batch["context_input_ids"].tolist() == [[5, 6, 7], [8, 3, 3], [9, 3, 3], [3, 3, 3]]
    assert batch["context_attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert batch["doc_scores"].dtype == torch.float32


def test_both_tokenizers_are_written_and_read(tiny_bert: Path, tmp_path: Path) -> None:
    tokenizer = tfx_core.load_tokenizer(tiny_bert)
    RagTokenizer(tokenizer, tokenizer).save_pretrained(tmp_path)
    again = RagTokenizer.from_pretrained(tmp_path)
    for side in (again.question_encoder, again.generator):
        assert side("the cat") == tokenizer("the cat")
        assert len(side) == len(WORDS)


def test_a_folder_without_a_side_is_told_how_to_have_it(tiny_bert: Path) -> None:
    with pytest.raises(CheckpointError, match="no tokenizer in question_encoder_tokenizer/; RagTokenizer"):
        RagTokenizer.from_pretrained(tiny_bert)
