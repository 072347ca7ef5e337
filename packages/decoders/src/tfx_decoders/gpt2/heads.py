"""GPT-2's heads: what they compute, what they need, and the names of their tensors."""

from torch import Tensor, nn

from tfx_core.checkpoint import Rename
from tfx_core.model import Backbone, HeadPlan, Inputs, ModelOutput
from tfx_core.model.heads import (
    CausalLMHead,
    LanguageHead,
    LMHead,
    SequenceSummary,
    choices_shape,
    flatten_choices,
    last_token_classification,
    next_token_loss,
    question_answering,
    token_classification,
    token_loss,
    whole_labels,
    whole_places,
)
from tfx_core.nn import check_range
from tfx_decoders.gpt2.config import GPT2Config


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


def _causal_lm(config: GPT2Config, backbone: Backbone) -> CausalLMHead:
    return CausalLMHead(_predictions(config))


def _double_heads(config: GPT2Config, backbone: Backbone) -> DoubleHeads:
    for key in ("summary_use_proj", "summary_proj_to_labels"):
        # without both, the head would give a vector per choice, not a score
        config.require(getattr(config, key), key, "true for double-heads")
    summary = SequenceSummary(
        config.summary_type,
        nn.Linear(backbone.width, 1),
        nn.Tanh() if config.summary_activation == "tanh" else nn.Identity(),
        config.summary_first_dropout,
    )
    return DoubleHeads(_predictions(config), summary)


def _predictions(config: GPT2Config) -> LMHead:
    return LMHead(nn.Linear(config.n_embd, config.vocab_size, bias=False))


def _classifier_dropout(config: GPT2Config) -> float:
    given = (rate for rate in (config.classifier_dropout, config.hidden_dropout) if rate is not None)
    return next(given, 0.1)


PREDICTIONS = (Rename("lm_head.weight", "head.predictions.decoder.weight"),)
SUMMARY = (Rename("multiple_choice_head.summary.{p}", "head.summary.project.{p}"),)
TIES = (("head.predictions.decoder.weight", "backbone.embeddings.token.weight"),)

HEADS: dict[str, HeadPlan[GPT2Config]] = {
    "causal-lm": HeadPlan(_causal_lm, rules={"predictions": PREDICTIONS}, ties=TIES),
    "double-heads": HeadPlan(_double_heads, rules={"predictions": PREDICTIONS, "summary": SUMMARY}, ties=TIES),
    "sequence-classification": last_token_classification(),
    "token-classification": token_classification(_classifier_dropout),
    "question-answering": question_answering(),
}
