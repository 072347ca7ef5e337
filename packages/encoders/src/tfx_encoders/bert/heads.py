"""BERT's heads: what they compute, what they need, and the names of their tensors."""

from torch import Tensor, nn

from tfx_core.checkpoint import Rename, Same
from tfx_core.model import Backbone, HeadPlan, ModelOutput
from tfx_core.model.heads import (
    CausalLMHead,
    Head,
    LMHead,
    MaskedLMHead,
    MultipleChoiceHead,
    SequenceClassificationHead,
    question_answering,
    token_classification,
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
        token = token_loss(prediction_logits, labels, states.token_mask)
        sentence = token_loss(seq_relationship_logits, next_sentence_label, name="next_sentence_label")
        return states.updated(
            prediction_logits=prediction_logits,
            seq_relationship_logits=seq_relationship_logits,
            loss=None if token is None or sentence is None else token + sentence,
        )


def _masked_lm(config: BertConfig, backbone: Backbone) -> MaskedLMHead:
    return MaskedLMHead(_predictions(config))


def _causal_lm(config: BertConfig, backbone: Backbone) -> CausalLMHead:
    return CausalLMHead(_predictions(config))


def _next_sentence(config: BertConfig, backbone: Backbone) -> NextSentenceHead:
    return NextSentenceHead(nn.Linear(backbone.width, 2))


def _pretraining(config: BertConfig, backbone: Backbone) -> PretrainingHead:
    return PretrainingHead(_predictions(config), nn.Linear(backbone.width, 2))


def _sequence_classification(config: BertConfig, backbone: Backbone) -> SequenceClassificationHead:
    return SequenceClassificationHead(_classifier(config, config.num_labels), config)


def _multiple_choice(config: BertConfig, backbone: Backbone) -> MultipleChoiceHead:
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


PREDICTIONS = (
    Rename("cls.predictions.transform.dense.{p}", "head.predictions.transform.0.{p}"),
    Rename("cls.predictions.transform.LayerNorm.{p}", "head.predictions.transform.2.{p}"),
    Rename("cls.predictions.decoder.weight", "head.predictions.decoder.weight"),
    Same("cls.predictions.decoder.bias", "cls.predictions.bias", written=True),  # read by it where nothing is tied
    Rename("cls.predictions.bias", "head.predictions.decoder.bias"),
)
RELATIONSHIP = (Rename("cls.seq_relationship.{p}", "head.relationship.{p}"),)
CLASSIFIER = (Rename("classifier.{p}", "head.classifier.1.{p}"),)
TIES = (("head.predictions.decoder.weight", "backbone.embeddings.token.weight"),)

HEADS: dict[str, HeadPlan[BertConfig]] = {
    "masked-lm": HeadPlan(_masked_lm, rules={"predictions": PREDICTIONS}, ties=TIES),
    "causal-lm": HeadPlan(
        _causal_lm,
        rules={"predictions": PREDICTIONS},
        ties=TIES,
        adapt=lambda config: config.replace(is_decoder=True),
    ),
    "next-sentence": HeadPlan(_next_sentence, rules={"relationship": RELATIONSHIP}, parts={"pooler"}),
    "pretraining": HeadPlan(
        _pretraining,
        rules={"predictions": PREDICTIONS, "relationship": RELATIONSHIP},
        parts={"pooler"},
        ties=TIES,
    ),
    "sequence-classification": HeadPlan(
        _sequence_classification, rules={"sequence-classifier": CLASSIFIER}, parts={"pooler"}
    ),
    "token-classification": token_classification(lambda config: config.head_dropout),
    "question-answering": question_answering(),
    "multiple-choice": HeadPlan(_multiple_choice, rules={"choice-classifier": CLASSIFIER}, parts={"pooler"}),
}
