"""MMBT: a text with an image, whatever encodes them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.cases import architectures, case_of
from tests.models.tiny import perturbed, random_ids, tiny_config
from tfx_core.errors import ConfigError, InputError
from tfx_core.model import ExtendedConfig, Model, load_architecture
from tfx_multimodal.mmbt.model import ImagePool

HEAD = "multimodal-classification"
IMAGE = {"model_type": "resnet", **case_of("resnet").tiny}
TEXTS = [
    spec.name
    for spec in architectures()
    if case_of(spec.name).reads == "text" and not issubclass(load_architecture(spec.name).config, ExtendedConfig)
]


def reads_without_predicting(name: str) -> bool:
    """Whether it is an encoder, of whose tokens each sees all, and takes vectors in their place."""
    model = tfx_core.new_model(name, **tiny_config(name))
    return model.backbone.source_reader is model.backbone and "inputs_embeds" in model.input_names


JOINED = [name for name in TEXTS if reads_without_predicting(name)]


def with_pixels(**changes: Any) -> Model:
    """A tiny model with an image encoder."""
    keys = {**tiny_config("mmbt"), "image_config": IMAGE, "modal_hidden_size": 32, "num_image_embeds": 3, **changes}
    return perturbed(tfx_core.new_model("mmbt", head=HEAD, seed=1, **keys), 2, 0.1).eval()


def inputs(rows: int = 3, length: int = 7) -> dict[str, Tensor]:
    """Texts with images and the tokens around these."""
    tokens = {"modal_start_tokens": torch.full((rows,), 2), "modal_end_tokens": torch.full((rows,), 3)}
    pixels = torch.randn(rows, 3, 45, 38, generator=torch.Generator().manual_seed(1))
    return {"input_ids": random_ids("mmbt", rows, length), "input_modal": pixels, **tokens}


def test_a_row_of_any_batch_is_what_it_is_alone() -> None:
    """Padding before, behind and within a text moves nothing, of the image neither."""
    model, given = with_pixels(), inputs()
    whole = model(**given, output_hidden_states=True)
    for columns in ([0, 1, 2, 3, 4, 5, 6], [4, 5, 6, 7, 8, 9, 10], [0, 2, 3, 5, 8, 9, 10]):
        ids, mask = torch.ones(3, 11, dtype=torch.long), torch.zeros(3, 11, dtype=torch.long)
        ids[:, columns], mask[:, columns] = given["input_ids"], 1
        padded = model(**{**given, "input_ids": ids}, attention_mask=mask, output_hidden_states=True)
        torch.testing.assert_close(padded.logits, whole.logits)
        image, text = padded.hidden_states[-1].split((5, 11), dim=1)
        torch.testing.assert_close(torch.cat((image, text[:, columns]), dim=1), whole.hidden_states[-1])
    for row in range(3):
        alone = model(**{name: value[row : row + 1] for name, value in given.items()})
        torch.testing.assert_close(alone.logits, whole.logits[row : row + 1])


def test_pixels_are_the_features_that_the_encoder_makes_of_them() -> None:
    model, given = with_pixels(), inputs()
    expected = model(**given).logits
    maps = model.backbone.image(pixel_values=given["input_modal"]).last_hidden_state
    features = ImagePool(3)(maps)
    assert features.shape == (3, 3, 32)
    torch.testing.assert_close(model(**{**given, "input_modal": features}).logits, expected)
    assert not torch.allclose(model(given["input_ids"]).logits, expected)


def test_an_image_is_pooled_to_any_number_of_positions() -> None:
    grids = [ImagePool(positions).grid for positions in range(1, 10)]
    assert grids == [(1, 1), (2, 1), (3, 1), (2, 2), (5, 1), (3, 2), (7, 1), (4, 2), (3, 3)]
    maps = torch.arange(24.0).view(1, 2, 4, 3)
    assert torch.equal(ImagePool(1)(maps), maps.mean((2, 3))[:, None])
    assert torch.equal(ImagePool(12)(maps), maps.flatten(2).transpose(1, 2))
    assert torch.equal(ImagePool(4)(torch.ones(2, 8, 5)), torch.ones(2, 4, 5))


def test_a_loss_reaches_both_encoders() -> None:
    model = with_pixels().train()
    model(**inputs(), labels=torch.tensor([0, 1, 1])).loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_written_and_read_it_is_the_same(tmp_path: Path) -> None:
    model = with_pixels()
    model.save_pretrained(tmp_path)
    again = tfx_core.load_model(tmp_path)
    assert again.config == model.stored_config()
    assert torch.equal(again(**inputs()).logits, model(**inputs()).logits)


@pytest.mark.parametrize("name", JOINED)
def test_any_encoder_of_texts_can_be_its_text(name: str, tmp_path: Path) -> None:
    text = tfx_core.new_model(name, seed=1, **tiny_config(name))
    image = tfx_core.new_model("resnet", seed=2, **case_of("resnet").tiny)
    image.save_pretrained(tmp_path / "image")
    model = tfx_core.new_model(
        "mmbt", head=HEAD, seed=3, parts={"text": text, "image": tmp_path / "image"}, num_labels=5, num_image_embeds=2
    ).eval()
    state, own = model.state_dict(), text.backbone.state_dict()
    assert all(torch.equal(state[f"backbone.text.backbone.{each}"], tensor) for each, tensor in own.items())
    given = {**inputs(), "input_ids": random_ids(name, 3, 7)}
    expected = model(**given).logits
    assert expected.shape == (3, 5)
    padded = torch.nn.functional.pad(given["input_ids"], (0, 4), value=1)
    mask = (torch.arange(11) < 7).long().expand(3, -1)
    torch.testing.assert_close(model(**{**given, "input_ids": padded}, attention_mask=mask).logits, expected)
    model.save_pretrained(tmp_path / "mmbt")
    assert torch.equal(tfx_core.load_model(tmp_path / "mmbt")(**given).logits, expected)


def test_what_it_is_not_made_of_is_told(tmp_path: Path) -> None:
    text = tfx_core.new_model("bert", **tiny_config("bert"))
    with pytest.raises(InputError, match="parts: sound, text; an mmbt is made of text and"):
        tfx_core.new_model("mmbt", parts={"sound": text, "text": text})
    with pytest.raises(InputError, match="parts: text is a resnet, which takes no vectors"):
        tfx_core.new_model("mmbt", parts={"text": tfx_core.new_model("resnet", **case_of("resnet").tiny)})
    with pytest.raises(InputError, match="parts: image is a bert, which takes no pixel_values"):
        tfx_core.new_model("mmbt", parts={"text": text, "image": text})
    with pytest.raises(ConfigError, match="modal_hidden_size=20: image_config is of an encoder 32 wide"):
        with_pixels(modal_hidden_size=20)


def test_inputs_that_contradict_each_other_are_told() -> None:
    model, given = with_pixels(), inputs()
    for changes, said in (
        ({"input_modal": torch.zeros(2, 3, 40, 40)}, r"modal_start_tokens of shape \(3,\): must be \(2,\)"),
        ({"input_modal": torch.zeros(3, 4, 31)}, r"input_modal of shape \(3, 4, 31\).*: must be images .* or features"),
        ({"input_modal": torch.zeros(3, 4, 32).long()}, r"input_modal of shape .* and type torch.int64"),
        (
            {"modal_start_tokens": torch.full((3,), 99)},
            r"modal_start_tokens: id 99 is not one of .*, 0 to 52",
        ),
        ({"modal_token_type_ids": torch.zeros(3, 4).long()}, r"modal_token_type_ids of shape \(3, 4\): .* \(3, 5\)"),
        ({"modal_position_ids": torch.zeros(3, 4).long()}, r"modal_position_ids of shape \(3, 4\): .* \(3, 5\)"),
        ({"position_ids": torch.full((3, 7), 40)}, r"position_ids: 40 is none of this model's"),
        ({"attention_mask": torch.ones(3, 6)}, r"attention_mask of shape \(3, 6\): these tokens ask for \(3, 7\)"),
        ({"input_modal": None}, r"modal_start_tokens, modal_end_tokens: there is no input_modal"),
    ):
        with pytest.raises(InputError, match=said):
            model(**{**given, **changes})
    with pytest.raises(InputError, match=r"input_modal has 2 rows, and the text 3"):
        model(given["input_ids"], input_modal=torch.zeros(2, 1, 32))
    features = tfx_core.new_model("mmbt", **tiny_config("mmbt"))
    with pytest.raises(InputError, match=r"must be features \(rows, positions, 20\)"):
        features(**given)
