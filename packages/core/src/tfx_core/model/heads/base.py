"""What a head is."""

from torch import nn

from tfx_core.model.backbone import Inputs
from tfx_core.model.outputs import ModelOutput


class Head(nn.Module):
    """What turns a backbone's states into results.

    A subclass's ``forward`` takes the backbone's output first and names every other input that it uses, labels
    included: `tfx_core.Model` passes each by name, as the caller gave it, and refuses the rest. Which tokens are
    padding the output's `ModelOutput.token_mask` tells: neither a result nor a loss may depend on them.
    """

    @property
    def output_layer(self) -> tuple[nn.Module, str] | None:
        """The module, and its attribute, that turns states into scores of tokens; ``None`` where nothing does.

        By default its ``predictions``, where they are one layer, or the ``decoder`` of these.
        """
        predictions = self._modules.get("predictions")
        if isinstance(predictions, nn.Linear):
            return self, "predictions"
        return None if predictions is None or "decoder" not in predictions._modules else (predictions, "decoder")

    def arrange(self, inputs: Inputs) -> Inputs:
        """The call's inputs as the backbone shall see them; by default unchanged."""
        return inputs


class NoHead(Head):
    """The backbone alone."""

    def forward(self, states: ModelOutput) -> ModelOutput:
        """The states unchanged."""
        return states
