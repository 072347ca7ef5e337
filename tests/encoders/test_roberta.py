"""What is RoBERTa's own, and XLM-RoBERTa's: positions behind the padding token's row, ``<mask>``, where words are."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.models.labelled import tiny_model
from tests.models.released import released
from tests.models.tiny import perturbed, random_ids, tiny_config
from tfx_core.errors import InputError
from tfx_core.model import Model

BOTH = ("roberta", "xlm-roberta")
IDS = random_ids("roberta", 2, 8)


@pytest.fixture(params=BOTH)
def model_type(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


def folder_of(model_type: str, head: str, folder: Path, **config: object) -> str:
    """A folder with the family's released tokenizer files and a random model for them."""
    size = len(tfx_core.load_tokenizer(released(model_type, folder)))
    model = tfx_core.new_model(
        model_type, head=head, seed=1, **{**tiny_config(model_type), **config, "vocab_size": size}
    )
    perturbed(model, 2, 0.3).save_pretrained(folder)
    return str(folder)


def states(model: Model, ids: Tensor = IDS, **inputs: object) -> Tensor:
    with torch.no_grad():
        return model(ids, **inputs).last_hidden_state


def test_positions_begin_behind_the_padding_tokens_row(model_type: str) -> None:
    for pad in (0, 1, 4):
        model = tiny_model(model_type, "backbone", pad_token_id=pad)
        assert (model.backbone.first_position, model.max_positions) == (pad + 1, 42 - pad - 1)
        torch.testing.assert_close(states(model, position_ids=torch.arange(pad + 1, pad + 9)), states(model))
        with pytest.raises(InputError, match=f"position_ids: {pad} is none of this model's; .* from {pad + 1} on"):
            states(model, position_ids=torch.arange(pad, pad + 8))
        with torch.no_grad():
            model.backbone.embeddings.position.weight[: pad + 1] = torch.inf
        assert states(model).isfinite().all()


@pytest.mark.parametrize("mask", [[1] * 5 + [0] * 3, [0] * 3 + [1] * 5, [1, 0, 1, 0, 0, 1, 1, 1]])
def test_padding_moves_nothing_wherever_it_is_and_whatever_its_ids_are(model_type: str, mask: list[int]) -> None:
    model, real = tiny_model(model_type, "backbone"), torch.tensor(mask).bool()
    for filler in (1, 0, 7):
        ids = torch.full((1, 8), filler)
        ids[0, real] = IDS[0, :5]
        together = states(model, ids, attention_mask=real.long()[None])
        torch.testing.assert_close(together[:, real], states(model, IDS[:1, :5]))


def test_a_mask_says_what_is_padding_and_no_id_does(model_type: str) -> None:
    model = tiny_model(model_type, "backbone")
    ids = torch.cat((torch.ones(1, 2, dtype=torch.long), IDS[:1, :5]), dim=1)
    as_text = states(model, ids, attention_mask=torch.ones_like(ids))
    torch.testing.assert_close(states(model, ids), as_text)
    assert not torch.allclose(as_text[:, 2:], states(model, IDS[:1, :5]), atol=1e-2)


def test_positions_of_padding_are_taken_as_the_reference_writes_them(model_type: str) -> None:
    model, mask = tiny_model(model_type, "backbone"), torch.tensor([[1] * 5 + [0] * 3] * 2)
    written = mask.cumsum(1) * mask + 1  # padding stands at its own id
    given = states(model, attention_mask=mask, position_ids=written)
    torch.testing.assert_close(given[:, :5], states(model, attention_mask=mask)[:, :5])


def test_a_text_may_be_as_long_as_the_table_behind_those_rows(model_type: str) -> None:
    model = tiny_model(model_type, "backbone")
    assert states(model, random_ids(model_type, 1, 40)).shape == (1, 40, 24)
    with pytest.raises(InputError, match="text of 41 tokens: this model has positions for 40"):
        states(model, random_ids(model_type, 1, 41))


def test_the_padding_token_of_a_model_is_not_set_but_chosen_when_it_is_made(model_type: str) -> None:
    model = tiny_model(model_type, "backbone")
    with pytest.raises(AttributeError, match=r"pad_token_id cannot be set: it shapes a model when it is built"):
        model.config.pad_token_id = 2
    model.config.pad_token_id = 1  # as it is
    assert tiny_model(model_type, "backbone", pad_token_id=2).backbone.first_position == 3


def test_a_blank_before_the_mask_belongs_to_it(model_type: str, tmp_path: Path) -> None:
    fill = tfx_core.pipeline("fill-mask", model=folder_of(model_type, "masked-lm", tmp_path))
    beside, apart, wide = (fill(f"hello{blank}<mask> world") for blank in ("", " ", "  "))
    assert beside == apart == wide
    assert len({each["token"] for each in beside}) == 5
    assert [len(each) for each in fill("<mask> ab<mask>")] == [5, 5]
    with pytest.raises(InputError, match="the text has no <mask>; this model's mask token marks the place to fill"):
        fill("hello [MASK]")


def test_words_and_answers_stand_where_the_offsets_say(model_type: str, tmp_path: Path) -> None:
    text = "hello  world, abc ab"
    labels = {0: "A", 1: "B", 2: "C"}
    folder = folder_of(model_type, "token-classification", tmp_path / "tokens", id2label=labels)
    entities = tfx_core.pipeline("token-classification", model=folder)
    found = entities(text, aggregation_strategy="first", ignore_labels=[])
    assert all(text[each["start"] : each["end"]] == each["word"].strip() == each["word"] for each in found)
    assert "".join(each["word"] for each in found).replace(" ", "") == text.replace(" ", "")
    answers = tfx_core.pipeline(
        "question-answering", model=folder_of(model_type, "question-answering", tmp_path / "answers")
    )
    for each in answers(question="abc?", context=text, top_k=8):
        assert text[each["start"] : each["end"]] == each["answer"] == each["answer"].strip() != ""


def test_texts_and_pairs_are_classified(model_type: str, tmp_path: Path) -> None:
    folder = folder_of(model_type, "sequence-classification", tmp_path, num_labels=3)
    classify = tfx_core.pipeline("text-classification", model=folder, top_k=None)
    texts = ["hello", ("hello", "world"), "hello world abc ab"]
    together, alone = classify(texts), [classify([text])[0] for text in texts]
    for one, other in zip(together, alone, strict=True):
        assert [each["label"] for each in one] == [each["label"] for each in other]
        assert [each["score"] for each in one] == pytest.approx([each["score"] for each in other], rel=1e-4)
    assert together[0] != together[1]
