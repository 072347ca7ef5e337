"""ResNet, its images and an MMBT that sees them give torchvision's numbers, and the reference's over torchvision's."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import tfx_core
from tests.cases import mmbt
from tests.models.tiny import perturbed
from tfx_multimodal import ImageReader, load_image_encoder

NETWORKS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3), "resnet152": (3, 8, 36, 3)}


def network(name: str) -> Any:
    """Torchvision's, random, whose norms have seen images."""
    from torchvision import models

    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = perturbed(getattr(models, name)(), 1, 0.01)
        made(torch.rand(2, 3, 96, 96))
    return made.eval()


def images(rows: int = 2) -> Tensor:
    """Normalised images of an odd size."""
    return torch.randn(rows, 3, 97, 70, generator=torch.Generator().manual_seed(2))


def without_its_end(made: Any) -> nn.Sequential:
    """What MMBT's code keeps of a network."""
    return nn.Sequential(*list(made.children())[:-2])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_of_torchvision_gives_its_maps(name: str, tmp_path: Path) -> None:
    theirs = network(name)
    torch.save(theirs.state_dict(), tmp_path / "network.pth")
    ours = load_image_encoder(tmp_path / "network.pth")
    assert ours.config.depths == NETWORKS[name]
    with torch.no_grad():
        torch.testing.assert_close(
            ours(pixel_values=images()).last_hidden_state, without_its_end(theirs)(images()), rtol=1e-4, atol=1e-4
        )


def test_its_statistics_move_alike_in_training(tmp_path: Path) -> None:
    theirs = network("resnet18")
    torch.save(theirs.state_dict(), tmp_path / "network.pth")
    ours = load_image_encoder(tmp_path / "network.pth").train()
    theirs.train()
    ours(pixel_values=images())
    theirs(images())
    for own, their in (
        (ours.backbone.stem.norm, theirs.bn1),
        (ours.backbone.stages[3][1].convolutions[1].norm, theirs.layer4[1].bn2),
    ):
        torch.testing.assert_close(own.running_mean, their.running_mean)
        torch.testing.assert_close(own.running_var, their.running_var)
        assert own.num_batches_tracked == their.num_batches_tracked


@pytest.mark.parametrize("size", [(300, 400), (401, 233), (90, 100), (256, 256), (700, 31)])
def test_images_are_read_as_its_weights_expect(size: tuple[int, int]) -> None:
    from torchvision.models import ResNet50_Weights

    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    expected = ResNet50_Weights.IMAGENET1K_V1.transforms()(image)
    torch.testing.assert_close(ImageReader()(image), expected)


class Encoder(nn.Module):
    """The image encoder of MMBT's code: a network without its end, pooled to N positions."""

    def __init__(self, made: Any, grid: tuple[int, int]) -> None:
        super().__init__()
        self.model = without_its_end(made)
        self.pool = nn.AdaptiveAvgPool2d(grid)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.pool(self.model(pixels)).flatten(2).transpose(1, 2).contiguous()


@pytest.mark.parametrize(("positions", "grid"), [(1, (1, 1)), (6, (3, 2)), (9, (3, 3))])
def test_an_mmbt_that_sees_pixels(positions: int, grid: tuple[int, int], tmp_path: Path) -> None:
    """With torchvision's network, as its released code has it, in both directions."""
    from transformers import BertConfig, BertModel
    from transformers.models.deprecated.mmbt import MMBTConfig, MMBTForClassification

    text = BertConfig(**{key: value for key, value in mmbt.TINY.items() if key != "modal_hidden_size"})
    config = MMBTConfig(text, num_labels=3, modal_hidden_size=512)
    config.output_attentions = config.output_hidden_states = False  # or its code cannot run
    with torch.random.fork_rng():
        torch.manual_seed(3)
        theirs = MMBTForClassification(config, BertModel(text), Encoder(network("resnet18"), grid)).eval()
    torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
    image = {"model_type": "resnet", "layer_type": "basic", "hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2]}
    keys = {
        **mmbt.TINY,
        "num_labels": 3,
        "modal_hidden_size": 512,
        "num_image_embeds": positions,
        "image_config": image,
    }
    tfx_core.new_model("mmbt", **{**keys, "image_config": image}).config.replace(
        architectures=("MMBTForClassification",)
    ).to_json_file(tmp_path / "config.json")
    ours = tfx_core.load_model(tmp_path)
    around = {"modal_start_tokens": torch.tensor([2, 2]), "modal_end_tokens": torch.tensor([3, 3])}
    inputs = {"input_modal": images(), "input_ids": torch.tensor([[7, 8, 9, 3]] * 2), **around}
    labels = torch.tensor([0, 2])
    expected, made = theirs(**inputs, labels=labels, return_dict=True), ours(**inputs, labels=labels)
    torch.testing.assert_close(made.logits, expected.logits, rtol=1e-4, atol=1e-5)
    for output in (expected, made):
        output.loss.backward()
    torch.testing.assert_close(
        ours.backbone.image.backbone.stem.convolution.weight.grad,
        theirs.mmbt.modal_encoder.encoder.model[0].weight.grad,
        rtol=1e-3,
        atol=1e-5,
    )
    ours.save_pretrained(tmp_path / "again")
    from safetensors.torch import load_file

    theirs.load_state_dict(load_file(tmp_path / "again/model.safetensors"), strict=True)
    assert torch.equal(theirs(**inputs, return_dict=True).logits, expected.logits)
