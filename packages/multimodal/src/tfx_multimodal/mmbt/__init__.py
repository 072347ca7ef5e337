"""MMBT, the multimodal bitransformer (Kiela et al. 2019)."""

from collections.abc import Mapping
from typing import Any

from tfx_core.errors import InputError
from tfx_core.model import Architecture, Model, extended
from tfx_multimodal.mmbt.config import MMBTConfig
from tfx_multimodal.mmbt.heads import HEADS
from tfx_multimodal.mmbt.model import build_backbone, initialise
from tfx_multimodal.mmbt.weights import backbone_rules

__all__ = ["ARCHITECTURE", "MMBTConfig"]

_OF_THE_HEAD = ("architectures", "id2label", "label2id", "num_labels", "problem_type", "tfx_head", "torch_dtype")


def _joined(parts: Mapping[str, Model]) -> dict[str, Any]:
    """The keys of a text model's config, but for its head's, and those that an image encoder decides."""
    unknown = parts.keys() - {"text", "image"}
    if unknown or "text" not in parts:
        raise InputError(f"parts: {', '.join(parts)}; an mmbt is made of text and, where it sees pixels, of image")
    text, image = parts["text"], parts.get("image")
    if "inputs_embeds" not in text.input_names:
        raise InputError(f"parts: text is a {text.config.model_type}, which takes no vectors in the place of ids")
    if image is not None and "pixel_values" not in image.input_names:
        raise InputError(f"parts: image is a {image.config.model_type}, which takes no pixel_values")
    keys = {key: value for key, value in text.config.to_dict().items() if key not in _OF_THE_HEAD}
    keys["text_model_type"] = keys.pop("model_type")
    if image is not None:
        keys |= {"image_config": image.config.to_dict(), "modal_hidden_size": image.backbone.width}
    return keys


ARCHITECTURE = Architecture(
    config=extended(MMBTConfig),
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=initialise,
    capabilities={"token-states": ()},
    join=_joined,
)
