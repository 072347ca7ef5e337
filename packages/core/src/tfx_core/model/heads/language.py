"""Heads that predict tokens."""

from typing import ClassVar

from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.model.heads.base import Head
from tfx_core.model.heads.losses import next_token_loss, token_loss
from tfx_core.model.outputs import ModelOutput
from tfx_core.nn import check_range


def output_rows(layer: nn.Module, tokens: Tensor) -> nn.Linear:
    """The rows of an output layer for these tokens ``(n,)``; raises `InputError` for what is no plain layer."""
    if type(layer) is not nn.Linear:
        raise InputError(f"shortlist: the output layer is a {type(layer).__name__}, which cannot be cut to some tokens")
    rows = nn.Linear(layer.in_features, len(tokens), bias=layer.bias is not None, device="meta")
    for name, parameter in layer.named_parameters():
        setattr(rows, name, nn.Parameter(parameter.detach()[tokens], requires_grad=False))
    return rows


class LMHead(nn.Module):
    """States to vocabulary logits: ``decoder(transform(x))``; ``decoder`` is often tied to the input embeddings."""

    def __init__(self, decoder: nn.Linear, transform: nn.Module | None = None) -> None:
        super().__init__()
        self.transform = nn.Identity() if transform is None else transform
        self.decoder = decoder

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, V)``."""
        logits: Tensor = self.decoder(self.transform(x))
        return logits

    def only(self, tokens: Tensor) -> "LMHead":
        """The same for these tokens ``(n,)``: ``(…, D) -> (…, n)``."""
        return LMHead(output_rows(self.decoder, tokens), self.transform)


def at_positions(x: Tensor, positions: Tensor | None, labels: Tensor | None) -> Tensor:
    """The states ``(N, D)`` at positions ``(N, 2)``, row and place, of ``(B, S, D)``; all for ``None``.

    Raises `InputError` for a position that there is not, and where there are labels, which are of all.
    """
    if positions is None:
        return x
    if labels is not None:
        raise InputError("logits_positions: a loss needs the logits of all positions")
    for places, size in zip(positions.unbind(-1), x.shape, strict=False):
        check_range(places, size, "logits_positions")
    return x[positions.unbind(-1)]


class MaskedLMHead(Head):
    """Predicts the token at each position."""

    def __init__(self, predictions: nn.Module) -> None:
        super().__init__()
        self.predictions = predictions

    def forward(
        self, states: ModelOutput, *, labels: Tensor | None = None, logits_positions: Tensor | None = None
    ) -> ModelOutput:
        """``labels`` ``(B, S)``, `IGNORED` where a token does not count; logits ``(B, S, V)``.

        ``logits_positions`` ``(N, 2)``, row and place, computes only those logits, ``(N, V)``; all by default.
        """
        logits = self.predictions(at_positions(states.last_hidden_state, logits_positions, labels))
        return states.updated(logits=logits, loss=token_loss(logits, labels, states.token_mask))


class LanguageHead(Head):
    """What predicts one token after another: generation reads nothing of it but what is here."""

    next_token: ClassVar[bool] = True
    """Whether the logits at a token are of the one after it; else of what a mask in its place would stand for."""

    def __init__(self, predictions: nn.Module) -> None:
        super().__init__()
        self.predictions = predictions
        """From states ``(…, D)`` to logits ``(…, V)``."""

    def read(self, output: ModelOutput) -> Tensor:
        """Of what a backbone gives, the states ``(B, S, D)`` that are for ``predictions``; by default the last ones."""
        return output.last_hidden_state


class CausalLMHead(LanguageHead):
    """Predicts the token after each position."""

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None, logits_to_keep: int = 0) -> ModelOutput:
        """``labels`` ``(B, S)`` are the inputs themselves, shifted here; logits ``(B, S, V)``.

        ``logits_to_keep`` computes only that many of the last positions, all by default.
        """
        if logits_to_keep and labels is not None:
            raise InputError(f"logits_to_keep={logits_to_keep}: a loss needs the logits of all positions")
        logits = self.predictions(states.last_hidden_state[:, -logits_to_keep:])
        return states.updated(logits=logits, loss=next_token_loss(logits, labels, states.token_mask))
