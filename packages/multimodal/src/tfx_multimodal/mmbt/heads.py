"""MMBT's head: the classes of a text with its image."""

from torch import Tensor, nn

from tfx_core.checkpoint import Rename
from tfx_core.model import HeadPlan, ModelOutput
from tfx_core.model.heads import SequenceClassificationHead
from tfx_core.nn import first_tokens
from tfx_multimodal.mmbt.config import MMBTConfig


class MultimodalClassificationHead(SequenceClassificationHead):
    """Classifies by what the text encoder pools, or by the first state where it pools nothing."""

    def pooled(self, states: ModelOutput) -> Tensor:
        """What is classified, ``(B, D)``."""
        if "pooler_output" in states:
            return super().pooled(states)
        return first_tokens(states.last_hidden_state, states.token_mask)


HEADS: dict[str, HeadPlan[MMBTConfig]] = {
    "multimodal-classification": HeadPlan(
        lambda config, backbone: MultimodalClassificationHead(
            nn.Sequential(nn.Dropout(config.modal_dropout), nn.Linear(backbone.width, config.num_labels)), config
        ),
        rules={"classifier": (Rename("classifier.{p}", "head.classifier.1.{p}"),)},
    ),
}
