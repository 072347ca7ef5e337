"""GPT-2's heads."""

from typing import Any

from torch import Tensor, nn

from tfx_core.model import ModelOutput
from tfx_core.model.heads import (
    CausalLMHead,
    Head,
    LastTokenClassificationHead,
    LMHead,
    QuestionAnsweringHead,
    SequenceSummary,
    TokenClassificationHead,
    flatten_choices,
    next_token_loss,
    token_loss,
)
from tfx_decoders.gpt2.config import GPT2Config


class DoubleHeads(Head):
    """The language model, and a score for each choice of each example: inputs are ``(B, choices, S)``."""

    generates = True

    def __init__(self, predictions: nn.Module, summary: nn.Module) -> None:
        super().__init__()
        self.predictions = predictions
        self.summary = summary

    def arrange(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Make every choice a row of the batch."""
        return flatten_choices(inputs)

    def forward(
        self,
        states: ModelOutput,
        *,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        attention_mask: Tensor | None = None,
        mc_token_ids: Tensor | None = None,
        labels: Tensor | None = None,
        mc_labels: Tensor | None = None,
    ) -> ModelOutput:
        """``labels`` ``(B, choices, S)``, ``mc_labels`` ``(B,)``, ``mc_token_ids`` ``(B, choices)`` the token to read.

        ``loss`` is the language model's, ``mc_loss`` that of the choices; logits ``(B, choices, S, V)``, ``mc_logits``
        ``(B, choices)``.
        """
        given = input_ids if input_ids is not None else inputs_embeds
        assert given is not None  # the backbone has refused a call without either
        shape = given.shape[:2]
        mask = None if attention_mask is None else attention_mask.flatten(0, 1)
        index = None if mc_token_ids is None else mc_token_ids.flatten()
        logits = self.predictions(states.last_hidden_state)  # (B·choices, S, V)
        mc_logits = self.summary(states.last_hidden_state, mask, index).view(shape)
        return states.updated(
            logits=logits.unflatten(0, shape),
            mc_logits=mc_logits,
            loss=None if labels is None else next_token_loss(logits, labels.flatten(0, 1)),
            mc_loss=token_loss(mc_logits, mc_labels),
        )


def causal_lm(config: GPT2Config) -> CausalLMHead:
    """The language model."""
    return CausalLMHead(_predictions(config))


def double_heads(config: GPT2Config) -> DoubleHeads:
    """The language model and the multiple-choice head."""
    for key in ("summary_use_proj", "summary_proj_to_labels"):
        # without both, the head would give a vector per choice, not a score
        config.require(getattr(config, key), key, "true for double-heads")
    summary = SequenceSummary(
        config.summary_type,
        nn.Linear(config.n_embd, 1),
        nn.Tanh() if config.summary_activation == "tanh" else nn.Identity(),
        config.summary_first_dropout,
    )
    return DoubleHeads(_predictions(config), summary)


def sequence_classification(config: GPT2Config) -> LastTokenClassificationHead:
    """A classifier of the last token."""
    score = nn.Linear(config.n_embd, config.num_labels, bias=False)
    return LastTokenClassificationHead(score, config.pad_token_id, config.problem_type)


def token_classification(config: GPT2Config) -> TokenClassificationHead:
    """A classifier of every token."""
    given = (rate for rate in (config.classifier_dropout, config.hidden_dropout) if rate is not None)
    return TokenClassificationHead(
        nn.Sequential(nn.Dropout(next(given, 0.1)), nn.Linear(config.n_embd, config.num_labels))
    )


def question_answering(config: GPT2Config) -> QuestionAnsweringHead:
    """Start and end scores of every token."""
    return QuestionAnsweringHead(nn.Linear(config.n_embd, 2))


def _predictions(config: GPT2Config) -> LMHead:
    return LMHead(nn.Linear(config.n_embd, config.vocab_size, bias=False))
