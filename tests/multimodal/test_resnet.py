"""ResNet, which reads images alone."""

import pickle
from pathlib import Path

import pytest
import torch

import tfx_core
from tests.cases import case_of
from tests.models.released import released
from tests.models.tiny import perturbed
from tfx_core.attention import attention_maps
from tfx_core.errors import CheckpointError, ConfigError, InputError
from tfx_core.model import Model
from tfx_multimodal import load_image_encoder

HEADS = ("backbone", "image-classification")


def images(rows: int = 3) -> torch.Tensor:
    """Images of an odd size."""
    return torch.randn(rows, 3, 45, 38, generator=torch.Generator().manual_seed(1))


def tiny_resnet(head: str = "backbone", **changes: object) -> Model:
    """A tiny network that has learnt something, norms included."""
    model = perturbed(tfx_core.new_model("resnet", head=head, seed=1, **{**case_of("resnet").tiny, **changes}), 2, 0.1)
    with torch.no_grad():
        for _ in range(3):
            model(pixel_values=images() + 1)
    return model.eval()


@pytest.mark.parametrize("head", HEADS)
def test_saved_pickled_and_loaded_it_is_the_same_with_its_running_statistics(head: str, tmp_path: Path) -> None:
    model = tiny_resnet(head)
    statistics = dict(model.named_buffers())
    assert int(statistics["backbone.stem.norm.num_batches_tracked"]) == 3
    assert statistics["backbone.stem.norm.running_mean"].any()
    model.save_pretrained(tmp_path)
    for again in (tfx_core.load_model(tmp_path), pickle.loads(pickle.dumps(model))):
        assert again.head_name == head
        assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in model.state_dict().items())
        assert torch.equal(again(pixel_values=images())[0], model(pixel_values=images())[0])


@pytest.mark.parametrize("head", HEADS)
def test_every_parameter_gets_a_gradient_and_statistics_move_in_training_alone(head: str) -> None:
    model = tiny_resnet(head)
    before = model.backbone.stem.norm.running_mean.clone()
    model(pixel_values=images())
    assert torch.equal(model.backbone.stem.norm.running_mean, before)
    model.train()(pixel_values=images())[0].square().sum().backward()
    assert not torch.equal(model.backbone.stem.norm.running_mean, before)
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_map_is_thirty_two_times_as_small_and_an_image_does_not_see_the_others() -> None:
    model = tfx_core.new_model("resnet", seed=1, depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 24, 32]).eval()
    assert model(pixel_values=torch.randn(2, 3, 64, 96)).last_hidden_state.shape == (2, 32, 2, 3)
    together, alone = model(pixel_values=images()), model(pixel_values=images()[:1])
    torch.testing.assert_close(together.last_hidden_state[:1], alone.last_hidden_state)


def test_it_compiles_and_runs_in_bfloat16() -> None:
    model = tiny_resnet()
    expected = model(pixel_values=images()).last_hidden_state
    torch.compiler.reset()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(pixel_values=images()).last_hidden_state, expected)
    assert model.to(torch.bfloat16)(pixel_values=images().bfloat16()).last_hidden_state.isfinite().all()


def test_what_is_no_image_is_told() -> None:
    model = tiny_resnet()
    for shape in ((3, 4, 4), (1, 1, 4, 4), (1, 3, 0, 4)):
        with pytest.raises(InputError, match=r"pixel_values of shape .*: must be \(images, 3, height, width\)"):
            model(pixel_values=torch.zeros(shape))
    with pytest.raises(TypeError, match="takes no 'input_ids'"):
        model(torch.ones(1, 2, dtype=torch.long))
    for keys, said in (
        ({"depths": [1]}, r"depths=.*: must be as many numbers as hidden_sizes"),
        ({"hidden_sizes": [6, 8, 8]}, r"hidden_sizes=.*: must be multiples of 4"),
    ):
        with pytest.raises(ConfigError, match=said):
            tiny_resnet(**keys)


def torchvisions(model: Model) -> dict[str, torch.Tensor]:
    """The tensors by torchvision's names, as its older files have them: without numbers of batches."""
    named = {}
    for name, tensor in model.state_dict_for_files().items():
        name = name.replace("embedder.embedder.convolution", "conv1").replace("embedder.embedder.normalization", "bn1")
        parts = name.removeprefix("resnet.").split(".")
        if parts[0] == "encoder":
            stage, block = int(parts[2]) + 1, parts[4]
            kind = {"convolution": "conv", "normalization": "bn"}[parts[-2]]
            own = f"{kind}{int(parts[6]) + 1}" if parts[5] == "layer" else f"downsample.{int(kind == 'bn')}"
            parts = [f"layer{stage}", block, own, parts[-1]]
        if parts[-1] not in ("num_batches_tracked", "_extra_state"):
            named[".".join(parts)] = tensor.clone()
    return named


@pytest.mark.parametrize("kind", [{}, {"layer_type": "basic", "hidden_sizes": [6, 8, 10]}])
def test_a_file_of_torchvision_is_an_encoder(kind: dict[str, object], tmp_path: Path) -> None:
    model = tiny_resnet(**kind)
    tensors = torchvisions(model)
    torch.save({**tensors, "fc.weight": torch.zeros(1000, 32), "fc.bias": torch.zeros(1000)}, tmp_path / "resnet.pth")
    encoder = load_image_encoder(tmp_path / "resnet.pth")
    assert encoder.config.depths == model.config.depths
    assert torch.equal(encoder(pixel_values=images())[0], model(pixel_values=images())[0])
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"other.pth: no ResNet of torchvision: it has no conv1.weight"):
        load_image_encoder(tmp_path / "other.pth")
    torch.save({name: x for name, x in tensors.items() if name != "layer1.0.conv1.weight"}, tmp_path / "lacks.pth")
    with pytest.raises(CheckpointError, match=r"lacks.pth: its tensors do not fit"):
        load_image_encoder(tmp_path / "lacks.pth")
    with pytest.raises(CheckpointError, match=r"none.pth: there is no such file"):
        load_image_encoder(tmp_path / "none.pth")


def test_what_reads_texts_refuses_a_model_that_reads_none(tmp_path: Path) -> None:
    model, tokenizer = tiny_resnet(), tfx_core.load_tokenizer(released("bert", tmp_path))
    with pytest.raises(InputError, match=r"^a resnet reads no text: a call takes .*pixel_values"):
        tfx_core.pipeline("feature-extraction", model=model, tokenizer=tokenizer)
    with pytest.raises(InputError, match=r"^a resnet reports no attention weights"):
        attention_maps(model, tokenizer, "hello abc")
