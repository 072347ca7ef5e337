"""Heads that encoder-decoders have in common."""

from collections.abc import Callable, Collection
from typing import TypeVar

from torch import Tensor, nn

from tfx_core.checkpoint import Rename
from tfx_core.errors import InputError
from tfx_core.model import Backbone, HeadPlan, Inputs, ModelConfig, ModelOutput
from tfx_core.model.heads import CausalLMHead, Head, LanguageHead, classification_loss, token_loss, whole_labels
from tfx_core.nn import can_read, last_tokens
from tfx_seq2seq.backbone import Shift, after_start_token

C = TypeVar("C", bound=ModelConfig)


class DecoderLMHead(CausalLMHead):
    """The language model of a decoder without its encoder; as in the reference, its labels are the next tokens."""

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None, logits_to_keep: int = 0) -> ModelOutput:
        """``labels`` ``(B, T)``: what follows each token; logits ``(B, T, V)``."""
        output = super().forward(states, logits_to_keep=logits_to_keep)
        return output.updated(loss=token_loss(output.logits, labels, states.token_mask))


class ConditionalGenerationHead(LanguageHead):
    """Predicts the target; its labels, shifted right, are the decoder's input where none is given."""

    def __init__(self, predictions: nn.Module, config: ModelConfig, shift: Shift = after_start_token) -> None:
        super().__init__(predictions)
        self.config = config
        self._shift = shift

    def arrange(self, inputs: Inputs) -> Inputs:
        """Make the decoder's input out of the labels; raises `InputError` where both do not fit together."""
        labels, ids = inputs.get("labels"), inputs.get("decoder_input_ids")
        if labels is None:
            return inputs
        if ids is not None and ids.shape != labels.shape:
            raise InputError(
                f"labels of shape {tuple(labels.shape)}: decoder_input_ids have {tuple(ids.shape)}; must be alike"
            )
        if ids is not None or inputs.get("decoder_inputs_embeds") is not None:
            return inputs
        return {**inputs, "decoder_input_ids": self.shifted(labels, inputs.get("decoder_attention_mask"))}

    def targets(self, labels: Tensor) -> Tensor:
        """The decoder's input for these labels ``(B, T)``."""
        return self.shifted(labels)

    def shifted(self, labels: Tensor, mask: Tensor | None = None) -> Tensor:
        """The decoder's input for these labels ``(B, T)``, by a mask of the real ones.

        Raises `ConfigError` where the config lacks a token for it.
        """
        if labels.dim() != 2:
            raise InputError(f"labels of shape {tuple(labels.shape)}: must be (batch, tokens), the target")
        labels = whole_labels(labels, labels.shape)
        return self._shift(self.config, labels, mask)

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """``labels`` ``(B, T)`` are the target itself; logits ``(B, T, V)``."""
        logits = self.predictions(states.last_hidden_state)
        return states.updated(logits=logits, loss=token_loss(logits, labels, states.token_mask))


class EndTokenClassificationHead(Head):
    """Classifies a text by the decoder's state at its last end token."""

    def __init__(self, classifier: nn.Module, config: ModelConfig) -> None:
        super().__init__()
        self.classifier = classifier
        self.config = config
        _end_token(config)

    def forward(
        self,
        states: ModelOutput,
        *,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> ModelOutput:
        """``input_ids`` ``(B, S)``, each row with an end token outside of padding; logits ``(B, C)``.

        Raises `InputError` where the end token or its state cannot be found.
        """
        state = states.last_hidden_state
        if input_ids is None or input_ids.shape != state.shape[:2]:
            given = "not given" if input_ids is None else f"of shape {tuple(input_ids.shape)}"
            raise InputError(
                f"input_ids {given}: the text's end token is looked for in them, and its state among the decoder's, "
                f"which are {tuple(state.shape[:2])}; give the decoder the text itself, or nothing"
            )
        end = _end_token(self.config)
        ends: Tensor = input_ids == end
        if attention_mask is not None:  # some tokenizers fill up with the end token
            ends = ends & attention_mask.bool()
        if can_read(ends) and not bool(ends.any(dim=1).all()):
            row = int((~ends.any(dim=1)).nonzero()[0])
            raise InputError(f"input_ids: row {row} has no end token {end}, whose state is classified")
        logits = self.classifier(last_tokens(state, ends))
        return states.updated(logits=logits, loss=classification_loss(logits, labels, self.config.problem_type))


def _end_token(config: ModelConfig) -> int:
    """The one that there must be; raises `ConfigError`."""
    config.require(isinstance(config.eos_token_id, int), "eos_token_id", "one id for sequence-classification")
    assert isinstance(config.eos_token_id, int)
    return config.eos_token_id


def end_token_classification(
    dropout: Callable[[C], float], *, parts: Collection[str], prefix: str | None = None
) -> HeadPlan[C]:
    """A classifier of the end token's state: dropout, dense, tanh, dropout, output."""

    def build(config: C, backbone: Backbone) -> EndTokenClassificationHead:
        classifier = nn.Sequential(
            nn.Dropout(dropout(config)),
            nn.Linear(backbone.width, backbone.width),
            nn.Tanh(),
            nn.Dropout(dropout(config)),
            nn.Linear(backbone.width, config.num_labels),
        )
        return EndTokenClassificationHead(classifier, config)

    rules = (
        Rename("classification_head.dense.{p}", "head.classifier.1.{p}"),
        Rename("classification_head.out_proj.{p}", "head.classifier.4.{p}"),
    )
    return HeadPlan(build, rules={"classifier": rules}, parts=parts, prefix=prefix)
