"""What this distribution gives to tfx; imports neither torch nor Pillow nor the architectures."""

from tfx_core.plugins import ArchitectureSpec, TaskSpec, hookimpl

TFX_API = 1


@hookimpl
def tfx_architectures() -> list[ArchitectureSpec]:
    """The models of texts and images, and the image encoder."""
    return [
        ArchitectureSpec(
            "mmbt",
            target="tfx_multimodal.mmbt:ARCHITECTURE",
            hf_classes={"MMBTModel": "backbone", "MMBTForClassification": "multimodal-classification"},
            capabilities=("token-states",),
            summary="Text encoder that reads an image's features before the text, trained to classify both together",
            paper="https://arxiv.org/abs/1909.02950",
        ),
        ArchitectureSpec(
            "resnet",
            target="tfx_multimodal.resnet:ARCHITECTURE",
            hf_classes={"ResNetModel": "backbone", "ResNetForImageClassification": "image-classification"},
            summary="Convolutional network of residual blocks, from an image to a map of features",
            paper="https://arxiv.org/abs/1512.03385",
        ),
    ]


@hookimpl
def tfx_tasks() -> list[TaskSpec]:
    """The class of a text and an image."""
    return [
        TaskSpec(
            "multimodal-classification",
            target="tfx_multimodal.task:MultimodalClassification",
            heads=("multimodal-classification",),
            summary="the class of a text and an image together",
        )
    ]
