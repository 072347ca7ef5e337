"""An image encoder out of a file of tensors alone, as torchvision publishes them."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tfx_core.checkpoint import TensorEntry, load_weights, read_tensor_file, unfilled_modules
from tfx_core.errors import CheckpointError
from tfx_core.model import Model
from tfx_multimodal.resnet import ARCHITECTURE, ResNetConfig


def load_image_encoder(path: str | Path) -> Model:
    """The network of a file such as ``resnet152-394f9c45.pth``, without the classes that it was trained with.

    Its depths and widths are told by the tensors. Raises `CheckpointError` for a file of something else.
    """
    file = Path(path)
    tensors = read_tensor_file(file)
    config = ResNetConfig.of(**_sizes(tensors, str(path)))
    with unfilled_modules():
        model = Model(ARCHITECTURE, config)
    load_weights(
        model, tensors, model.weight_table, head="backbone", initialise=lambda module, names: _fill(model, names),
        label=str(path),
    )  # fmt: skip
    return model.eval()


def _fill(model: Model, names: Collection[str]) -> None:
    """What older files lack: the numbers of batches that norms have seen."""
    for path in {name.rpartition(".")[0] for name in names}:
        model.fill(path, model.get_submodule(path))


def _sizes(tensors: Mapping[str, TensorEntry], label: str) -> dict[str, Any]:
    """Keys of the config by the shapes of tensors with torchvision's names."""
    stages = sorted({int(name[5]) for name in tensors if name.startswith("layer") and name[5:6].isdigit()})
    last = "conv3" if "layer1.0.conv3.weight" in tensors else "conv2"
    blocks = [{name.split(".")[1] for name in tensors if name.startswith(f"layer{stage}.")} for stage in stages]
    try:
        return {
            "num_channels": tensors["conv1.weight"].shape[1],
            "embedding_size": tensors["conv1.weight"].shape[0],
            "hidden_sizes": [tensors[f"layer{stage}.0.{last}.weight"].shape[0] for stage in stages],
            "depths": [len(each) for each in blocks],
            "layer_type": "bottleneck" if last == "conv3" else "basic",
        }
    except (KeyError, IndexError) as error:
        raise CheckpointError(f"{label}: no ResNet of torchvision: it has no {error.args[0]}") from None
