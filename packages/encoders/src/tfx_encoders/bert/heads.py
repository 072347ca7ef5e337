"""BERT's heads, and the two losses of its pretraining."""

from torch import Tensor, nn

from tfx_core.model import ModelOutput
from tfx_core.model.heads import (
    CausalLMHead,
    Head,
    LMHead,
    MaskedLMHead,
    MultipleChoiceHead,
    QuestionAnsweringHead,
    SequenceClassificationHead,
    TokenClassificationHead,
    token_loss,
)
from tfx_core.nn import ActivationFunction
from tfx_encoders.bert.config import BertConfig


class NextSentenceHead(Head):
    """Tells whether the second segment follows the first in the corpus: class 0 if it does."""

    def __init__(self, relationship: nn.Module) -> None:
        super().__init__()
        self.relationship = relationship

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """``labels`` ``(B,)``; logits ``(B, 2)``."""
        logits = self.relationship(states.pooler_output)
        return states.updated(logits=logits, loss=token_loss(logits, labels))


class PretrainingHead(Head):
    """Masked tokens and next sentence together; the loss is the sum of both."""

    def __init__(self, predictions: nn.Module, relationship: nn.Module) -> None:
        super().__init__()
        self.predictions = predictions
        self.relationship = relationship

    def forward(
        self, states: ModelOutput, *, labels: Tensor | None = None, next_sentence_label: Tensor | None = None
    ) -> ModelOutput:
        """``labels`` ``(B, S)`` and ``next_sentence_label`` ``(B,)``; a loss asks for both."""
        prediction_logits = self.predictions(states.last_hidden_state)
        seq_relationship_logits = self.relationship(states.pooler_output)
        token = token_loss(prediction_logits, labels)
        sentence = token_loss(seq_relationship_logits, next_sentence_label)
        return states.updated(
            prediction_logits=prediction_logits,
            seq_relationship_logits=seq_relationship_logits,
            loss=None if token is None or sentence is None else token + sentence,
        )


def masked_lm(config: BertConfig) -> MaskedLMHead:
    """The head of the masked language model."""
    return MaskedLMHead(_predictions(config))


def causal_lm(config: BertConfig) -> CausalLMHead:
    """The same head, predicting the next token."""
    return CausalLMHead(_predictions(config))


def next_sentence(config: BertConfig) -> NextSentenceHead:
    """The next-sentence classifier."""
    return NextSentenceHead(nn.Linear(config.hidden_size, 2))


def pretraining(config: BertConfig) -> PretrainingHead:
    """Both heads of the pretraining."""
    return PretrainingHead(_predictions(config), nn.Linear(config.hidden_size, 2))


def sequence_classification(config: BertConfig) -> SequenceClassificationHead:
    """A classifier of the pooled state."""
    return SequenceClassificationHead(_classifier(config, config.num_labels), config.problem_type)


def token_classification(config: BertConfig) -> TokenClassificationHead:
    """A classifier of every token."""
    return TokenClassificationHead(_classifier(config, config.num_labels))


def question_answering(config: BertConfig) -> QuestionAnsweringHead:
    """Start and end scores of every token."""
    return QuestionAnsweringHead(nn.Linear(config.hidden_size, 2))


def multiple_choice(config: BertConfig) -> MultipleChoiceHead:
    """One score for each choice."""
    return MultipleChoiceHead(_classifier(config, 1))


def _classifier(config: BertConfig, classes: int) -> nn.Module:
    return nn.Sequential(nn.Dropout(config.head_dropout), nn.Linear(config.hidden_size, classes))


def _predictions(config: BertConfig) -> LMHead:
    transform = nn.Sequential(
        nn.Linear(config.hidden_size, config.hidden_size),
        ActivationFunction(config.hidden_act),
        nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps),
    )
    return LMHead(nn.Linear(config.hidden_size, config.vocab_size), transform)
