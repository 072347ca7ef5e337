"""ResNet's head: the classes of an image."""

from torch import Tensor, nn

from tfx_core.checkpoint import Rename
from tfx_core.model import HeadPlan, ModelOutput
from tfx_core.model.heads import SequenceClassificationHead
from tfx_multimodal.resnet.config import ResNetConfig


class ImageClassificationHead(SequenceClassificationHead):
    """Classifies an image by the mean of its map."""

    def pooled(self, states: ModelOutput) -> Tensor:
        """The mean ``(B, D)``."""
        mean: Tensor = states.pooler_output
        return mean.flatten(1)  # (B, D, 1, 1) -> (B, D)


HEADS: dict[str, HeadPlan[ResNetConfig]] = {
    "image-classification": HeadPlan(
        lambda config, backbone: ImageClassificationHead(nn.Linear(backbone.width, config.num_labels), config),
        rules={"classifier": (Rename("classifier.1.{p}", "head.classifier.{p}"),)},
    ),
}
