"""The heads of GPT and GPT-2 that write: what they compute, what they need, and the names of their tensors."""

from typing import TypeVar

from torch import Tensor, nn

from tfx_core.checkpoint import Rename
from tfx_core.model import Backbone, HeadPlan, Inputs, ModelOutput
from tfx_core.model.heads import (
    CausalLMHead,
    LanguageHead,
    LMHead,
    choices_shape,
    flatten_choices,
    next_token_loss,
    sequence_summary,
    token_loss,
    whole_labels,
    whole_places,
)
from tfx_core.nn import check_range
from tfx_decoders.gpt.config import GPTConfig

C = TypeVar("C", bound=GPTConfig)


class DoubleHeads(LanguageHead):
    """The language model, and a score for each choice of each example: inputs are ``(B, choices, S)``."""

    def __init__(self, predictions: nn.Module, summary: nn.Module) -> None:
        super().__init__(predictions)
        self.summary = summary

    def arrange(self, inputs: Inputs) -> Inputs:
        """Make every choice a row of the batch."""
        return flatten_choices(inputs)

    def forward(
        self,
        states: ModelOutput,
        *,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        mc_token_ids: Tensor | None = None,
        labels: Tensor | None = None,
        mc_labels: Tensor | None = None,
    ) -> ModelOutput:
        """``labels`` ``(B, choices, S)``, ``mc_labels`` ``(B,)``, ``mc_token_ids`` ``(B, choices)`` the token to read.

        ``loss`` is the language model's, ``mc_loss`` that of the choices; logits ``(B, choices, S, V)``, ``mc_logits``
        ``(B, choices)``.
        """
        shape = choices_shape(input_ids, inputs_embeds)
        mask = states.token_mask
        logits = self.predictions(states.last_hidden_state)  # (B·choices, S, V)
        index = None
        if mc_token_ids is not None:
            index = whole_places(mc_token_ids, shape, "mc_token_ids").flatten()
            check_range(index, logits.shape[1], "mc_token_ids")
        mc_logits = self.summary(states.last_hidden_state, mask, index).view(shape)
        if labels is not None:
            labels = whole_labels(labels, (*shape, logits.shape[1])).flatten(0, 1)
        return states.updated(
            logits=logits.unflatten(0, shape),
            mc_logits=mc_logits,
            loss=next_token_loss(logits, labels, mask),
            mc_loss=token_loss(mc_logits, mc_labels, name="mc_labels"),
        )


def causal_lm() -> HeadPlan[C]:
    """A language model whose output layer has no bias and is tied to the token vectors."""
    return HeadPlan(
        lambda config, backbone: CausalLMHead(_predictions(config, backbone)),
        rules={"predictions": _PREDICTIONS},
        ties=_TIES,
    )


def double_heads() -> HeadPlan[C]:
    """The same with a score for each choice, by the summary that the config describes."""
    return HeadPlan(_double_heads, rules={"predictions": _PREDICTIONS, "summary": _SUMMARY}, ties=_TIES)


def _double_heads(config: GPTConfig, backbone: Backbone) -> DoubleHeads:
    for key in ("summary_use_proj", "summary_proj_to_labels"):
        # without both, the head would give a vector per choice, not a score
        config.require(getattr(config, key), key, "true for double-heads")
    summary = sequence_summary(config.replace(num_labels=1), backbone.width)
    return DoubleHeads(_predictions(config, backbone), summary)


def _predictions(config: GPTConfig, backbone: Backbone) -> LMHead:
    return LMHead(nn.Linear(backbone.width, config.vocab_size, bias=False))


_PREDICTIONS = (Rename("lm_head.weight", "head.predictions.decoder.weight"),)
_SUMMARY = (Rename("multiple_choice_head.summary.{p}", "head.summary.project.{p}"),)
_TIES = (("head.predictions.decoder.weight", "backbone.embeddings.token.weight"),)
