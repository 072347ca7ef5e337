"""Longformer's heads: RoBERTa's, of which those for texts, answers and choices also choose the global tokens."""

from dataclasses import replace
from typing import Self

from torch import nn

from tfx_core.model import Backbone, HeadPlan, Inputs
from tfx_core.model.heads import (
    Head,
    MultipleChoiceHead,
    QuestionAnsweringHead,
    SummaryClassificationHead,
    question_answering,
    token_classification,
)
from tfx_encoders.heads import first_token, first_token_classification, head_dropout, masked_lm, pooled_choice
from tfx_encoders.longformer.config import LongformerConfig
from tfx_encoders.longformer.global_tokens import ChoiceTokens, FirstTokens, GlobalRule, QuestionTokens
from tfx_encoders.roberta.heads import PREDICTIONS, predictions


class ChoosingHead(Head):
    """Chooses the global tokens of a call that does not say which they are."""

    rule: GlobalRule

    def by(self, rule: GlobalRule) -> Self:
        """The head itself, which goes by this rule."""
        self.rule = rule
        return self

    def arrange(self, inputs: Inputs) -> Inputs:
        """With a ``global_attention_mask``; raises `InputError` where the inputs do not tell it."""
        arranged = super().arrange(inputs)
        return arranged if "global_attention_mask" in inputs else self.rule.applied(arranged)


class TextHead(ChoosingHead, SummaryClassificationHead):
    """Classifies a text by its first token."""


class AnswerHead(ChoosingHead, QuestionAnsweringHead):
    """Finds the answer to a question."""


class ChoiceHead(ChoosingHead, MultipleChoiceHead):
    """Scores choices."""


def _text_head(config: LongformerConfig, backbone: Backbone) -> TextHead:
    summary = first_token(backbone.width, nn.Tanh(), config.head_dropout, config.head_dropout)
    return TextHead(summary, nn.Linear(backbone.width, config.num_labels), config).by(FirstTokens(config))


def _answer_head(config: LongformerConfig, backbone: Backbone) -> AnswerHead:
    return AnswerHead(nn.Linear(backbone.width, 2)).by(QuestionTokens(config))


def _choice_head(config: LongformerConfig, backbone: Backbone) -> ChoiceHead:
    classifier = nn.Sequential(nn.Dropout(config.hidden_dropout_prob), nn.Linear(backbone.width, 1))
    return ChoiceHead(classifier).by(ChoiceTokens(config))


HEADS: dict[str, HeadPlan[LongformerConfig]] = {
    "masked-lm": masked_lm(predictions, PREDICTIONS),
    "sequence-classification": replace(first_token_classification(lambda config: nn.Tanh()), build=_text_head),
    "token-classification": token_classification(head_dropout),
    "question-answering": replace(question_answering(), build=_answer_head),
    "multiple-choice": replace(pooled_choice(lambda config: config.hidden_dropout_prob), build=_choice_head),
}
