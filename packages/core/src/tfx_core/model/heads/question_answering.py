"""The head that finds an answer in a text."""

import torch
from torch import Tensor, nn

from tfx_core.model.heads.base import Head
from tfx_core.model.heads.losses import span_loss
from tfx_core.model.outputs import ModelOutput


class QuestionAnsweringHead(Head):
    """Scores every token as the start and as the end of the answer."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(
        self,
        states: ModelOutput,
        *,
        attention_mask: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
    ) -> ModelOutput:
        """Positions ``(B,)``, ignored where they lie beyond the text; both logits ``(B, S)``, lowest on padding."""
        logits = self.classifier(states.last_hidden_state)
        if attention_mask is not None and attention_mask.dim() == 2:
            # else the loss, a softmax over the text, would depend on the amount of padding
            logits = logits.masked_fill(~attention_mask.bool()[..., None], torch.finfo(logits.dtype).min)
        start_logits, end_logits = logits.unbind(-1)
        loss = span_loss(start_logits, end_logits, start_positions, end_positions)
        return states.updated(start_logits=start_logits, end_logits=end_logits, loss=loss)
