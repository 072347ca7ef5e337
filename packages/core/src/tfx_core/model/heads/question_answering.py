"""The head that finds an answer in a text, and how most architectures have it."""

from collections.abc import Callable, Collection

import torch
from torch import Tensor, nn

from tfx_core.checkpoint import Rename
from tfx_core.model.heads.base import Head
from tfx_core.model.heads.losses import span_loss
from tfx_core.model.heads.plan import C, HeadPlan
from tfx_core.model.outputs import ModelOutput


class QuestionAnsweringHead(Head):
    """Scores every token as the start and as the end of the answer."""

    def __init__(self, outputs: nn.Module, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.qa_outputs = outputs  # by this name adapters know what they have to train besides

    def forward(
        self,
        states: ModelOutput,
        *,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
    ) -> ModelOutput:
        """Positions ``(B,)``, ignored where they lie outside the text; both logits ``(B, S)``, lowest on padding."""
        logits = self.qa_outputs(self.dropout(states.last_hidden_state))
        mask = states.token_mask
        if mask is not None:
            # else the loss, a softmax over the text, would depend on the amount of padding
            logits = logits.masked_fill(~mask[..., None], torch.finfo(logits.dtype).min)
        start_logits, end_logits = logits.unbind(-1)
        loss = span_loss(start_logits, end_logits, start_positions, end_positions, mask)
        return states.updated(start_logits=start_logits, end_logits=end_logits, loss=loss)


def question_answering(
    dropout: Callable[[C], float] = lambda config: 0.0, *, parts: Collection[str] = (), prefix: str | None = None
) -> HeadPlan[C]:
    """Start and end scores of every token by one layer, after a dropout that the config says."""
    return HeadPlan(
        lambda config, backbone: QuestionAnsweringHead(nn.Linear(backbone.width, 2), dropout(config)),
        rules={"spans": (Rename("qa_outputs.{p}", "head.qa_outputs.{p}"),)},
        parts=parts,
        prefix=prefix,
    )
