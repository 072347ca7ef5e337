"""Batches to learn from: what is filled up never counts, what is hidden is drawn as the paper says."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers, processors
from torch.utils.data import DataLoader

import tfx_core
from tfx_core.collators import MaskedTokens, NextTokens, Padding
from tfx_core.errors import InputError

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PIECES = ("un", "##happ", "##y", "cats", "sleep", "a", "lot")
PAD, CLS, SEP, MASK = 0, 2, 3, 4
ROLES = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}


@pytest.fixture
def tokenizer(tmp_path: Path) -> tfx_core.Tokenizer:
    return make_tokenizer(tmp_path)


def make_tokenizer(folder: Path, **settings: Any) -> tfx_core.Tokenizer:
    ids = {token: number for number, token in enumerate((*SPECIAL, *PIECES))}
    backend = Backend(models.WordPiece(ids, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.add_special_tokens(list(SPECIAL))
    around = [(token, ids[token]) for token in ("[CLS]", "[SEP]")]
    backend.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=around)
    backend.save(str(folder / "tokenizer.json"))
    names = ["input_ids", "attention_mask"]
    values = {"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": names, **ROLES, **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(values))
    return tfx_core.load_tokenizer(folder)


def rows(tokenizer: tfx_core.Tokenizer, *texts: str, **columns: list[Any]) -> list[dict[str, Any]]:
    made = [dict(tokenizer(text)) for text in texts]
    return [{**row, **{name: values[number] for name, values in columns.items()}} for number, row in enumerate(made)]


def test_labels_of_a_text_and_other_columns(tokenizer: tfx_core.Tokenizer) -> None:
    batch = Padding(tokenizer)(
        rows(tokenizer, "cats", "cats sleep", label=[1, 0], weight=[0.5, 2.0], pair=[[1, 2]] * 2)
    )
    assert batch["input_ids"].tolist() == [[CLS, 8, SEP, PAD], [CLS, 8, 9, SEP]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert batch["labels"].tolist() == [1, 0]
    assert batch["weight"].tolist() == [0.5, 2.0]
    assert batch["pair"].tolist() == [[1, 2], [1, 2]]


@pytest.mark.parametrize(
    ("side", "expected"), [("right", [[5, 6, 7, -100], [1, 2, 3, 4]]), ("left", [[-100, 5, 6, 7], [1, 2, 3, 4]])]
)
def test_labels_of_tokens_are_filled_up_with_what_does_not_count(
    side: str, expected: list[list[int]], tmp_path: Path
) -> None:
    tokenizer = make_tokenizer(tmp_path, padding_side=side)
    given = rows(
        tokenizer,
        "cats",
        "cats sleep",
        labels=[(5, 6, 7), torch.tensor([1, 2, 3, 4])],
        places=[[0, 1, 2], [0, 1, 2, 3]],
    )
    batch = Padding(tokenizer)(given)
    assert batch["labels"].tolist() == expected
    assert batch["places"].shape == (2, 4)
    wide = Padding(tokenizer, pad_to_multiple_of=8)(given)
    assert {wide[name].shape for name in wide} == {(2, 8)}


def test_labels_of_a_target_have_a_length_of_their_own(tokenizer: tfx_core.Tokenizer) -> None:
    batch = Padding(tokenizer)(rows(tokenizer, "cats", "cats sleep", labels=[[7, 8, 9, 10, 3], [3]]))
    assert batch["labels"].tolist() == [[7, 8, 9, 10, 3], [3, -100, -100, -100, -100]]
    several = Padding(tokenizer)(rows(tokenizer, "cats", "cats sleep", labels=[[0.0, 1.0, 0.0]] * 2))
    assert several["labels"].tolist() == [[0.0, 1.0, 0.0]] * 2


def test_faults_name_row_and_column(tokenizer: tfx_core.Tokenizer) -> None:
    with pytest.raises(InputError, match="column 'text', 'cats' and so on, makes no tensor; remove it"):
        Padding(tokenizer)(rows(tokenizer, "cats", text=["cats"]))
    with pytest.raises(InputError, match=r"row 1 has .*each needs input_ids, and all the same columns"):
        Padding(tokenizer)([*rows(tokenizer, "cats", labels=[1]), *rows(tokenizer, "cats")])
    with pytest.raises(InputError, match="there must be rows"):
        Padding(tokenizer)([])
    with pytest.raises(InputError, match="labels under one name"):
        Padding(tokenizer)(rows(tokenizer, "cats", label=[1], labels=[1]))
    with pytest.raises(InputError, match=r"probability=1\.5: must be more than 0, at most 1"):
        MaskedTokens(tokenizer, probability=1.5)
    tokenizer.mask_token = None
    with pytest.raises(InputError, match="has no mask_token"):
        MaskedTokens(tokenizer)


def test_a_text_to_continue_has_no_labels_on_padding_also_where_that_is_a_real_token(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path, pad_token="[SEP]")
    given = rows(tokenizer, "cats", "cats sleep")
    assert NextTokens(tokenizer)(given)["labels"].tolist() == [[CLS, 8, SEP, -100], [CLS, 8, 9, SEP]]
    plain = [{"input_ids": row["input_ids"]} for row in given]
    assert NextTokens(tokenizer)(plain)["labels"].tolist() == [[CLS, 8, SEP, -100], [CLS, 8, 9, SEP]]
    own = [{**row, "labels": [-100] * len(row["input_ids"])} for row in given]
    assert NextTokens(tokenizer)(own)["labels"].eq(-100).all()


def test_masks_are_drawn_as_the_paper_says(tokenizer: tfx_core.Tokenizer) -> None:
    given = rows(tokenizer, *["cats sleep a lot unhappy " * 40, "cats sleep a lot " * 20] * 20)
    batch, plain = MaskedTokens(tokenizer, seed=1)(given), Padding(tokenizer)(given)
    chosen = batch["labels"] != -100
    usual = ~torch.isin(plain["input_ids"], torch.tensor([PAD, CLS, SEP]))
    assert not (chosen & ~usual).any()
    assert torch.equal(batch["labels"][chosen], plain["input_ids"][chosen])
    assert torch.equal(batch["input_ids"][~chosen], plain["input_ids"][~chosen])
    assert 0.13 < float(chosen.sum() / usual.sum()) < 0.17
    hidden, kept = batch["input_ids"][chosen], plain["input_ids"][chosen]
    assert 0.75 < float((hidden == MASK).float().mean()) < 0.85
    assert 0.05 < float(((hidden != MASK) & (hidden != kept)).float().mean()) < 0.13
    assert not torch.isin(hidden[hidden != MASK], torch.arange(len(SPECIAL))).any()


def test_words_are_hidden_whole(tokenizer: tfx_core.Tokenizer) -> None:
    given = rows(tokenizer, "unhappy cats sleep unhappy " * 30)
    of_pieces = MaskedTokens(tokenizer, whole_words=True, probability=0.5, seed=1)(given)["labels"][0] != -100
    pieces = torch.tensor(given[0]["input_ids"])
    assert of_pieces.any()
    assert torch.equal(of_pieces[pieces == 5], of_pieces[pieces == 6])
    assert torch.equal(of_pieces[pieces == 5], of_pieces[pieces == 7])
    told = [{**given[0], "word_ids": [None, *[0] * (len(pieces) - 2), None]}]
    of_all = MaskedTokens(tokenizer, whole_words=True, probability=0.999, seed=1)(told)["labels"][0] != -100
    assert of_all.sum() == len(pieces) - 2


def test_a_seed_gives_the_same_masks_and_leaves_torchs_generator_alone(tokenizer: tfx_core.Tokenizer) -> None:
    given = rows(tokenizer, "cats sleep a lot " * 20)
    before = torch.random.get_rng_state()
    one, other = MaskedTokens(tokenizer, seed=3), pickle.loads(pickle.dumps(MaskedTokens(tokenizer, seed=3)))
    first, second = one(given), one(given)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(other(given)["input_ids"], first["input_ids"])
    assert not torch.equal(first["labels"], second["labels"])
    torch.manual_seed(5)
    free = MaskedTokens(tokenizer)
    drawn = free(given)["labels"]
    torch.manual_seed(5)
    assert torch.equal(free(given)["labels"], drawn)


def test_a_loader_with_workers_collates(tokenizer: tfx_core.Tokenizer) -> None:
    given = rows(tokenizer, *["cats sleep a lot " * 20] * 4)

    def epochs() -> list[torch.Tensor]:
        generator = torch.Generator().manual_seed(1)
        loader: Any = DataLoader(
            given, 2, collate_fn=MaskedTokens(tokenizer, seed=2), num_workers=2, generator=generator
        )
        return [batch["labels"] for _ in range(2) for batch in loader]

    first, again = epochs(), epochs()
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert len({tuple(labels.flatten().tolist()) for labels in first}) == 4


@pytest.mark.parametrize("kind", [Padding, NextTokens, MaskedTokens])
def test_what_is_no_row_is_told(tokenizer: tfx_core.Tokenizer, kind: type[Padding]) -> None:
    collate: Any = kind(tokenizer)
    for rows in (["cats", "sleep"], tokenizer(["cats", "sleep"])):
        with pytest.raises(InputError, match="must be a list of rows, each what a tokenizer gives for one text"):
            collate(rows)
    for rows in ([tokenizer("cats", return_tensors="pt")], [tokenizer(["cats", "a lot"])]):
        with pytest.raises(InputError, match=r"row 0: input_ids=.*must be the ids of one text"):
            collate(rows)
