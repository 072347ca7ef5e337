"""What turns a backbone's states into results, each with its loss; an architecture adds its own."""

from tfx_core.model.heads.base import Head, NoHead
from tfx_core.model.heads.classification import (
    LastTokenClassificationHead,
    MultipleChoiceHead,
    SequenceClassificationHead,
    TokenClassificationHead,
    choices_shape,
    flatten_choices,
    last_token_classification,
    token_classification,
)
from tfx_core.model.heads.language import CausalLMHead, LanguageHead, LMHead, MaskedLMHead, output_rows
from tfx_core.model.heads.losses import (
    IGNORED,
    classification_loss,
    mean_of_counted,
    next_labels,
    next_token_loss,
    span_loss,
    token_loss,
    whole_labels,
    whole_places,
)
from tfx_core.model.heads.question_answering import QuestionAnsweringHead, question_answering
from tfx_core.model.heads.span_beam import AnswerClassifier, EndScorer, SpanBeamConfig, SpanBeamHead, span_beam
from tfx_core.model.heads.summary import (
    SequenceSummary,
    SummaryChoiceHead,
    SummaryClassificationHead,
    SummaryConfig,
    SummaryKind,
    sequence_summary,
    summary_choice,
    summary_classification,
)

__all__ = [
    "IGNORED",
    "AnswerClassifier",
    "CausalLMHead",
    "EndScorer",
    "Head",
    "LMHead",
    "LanguageHead",
    "LastTokenClassificationHead",
    "MaskedLMHead",
    "MultipleChoiceHead",
    "NoHead",
    "QuestionAnsweringHead",
    "SequenceClassificationHead",
    "SequenceSummary",
    "SpanBeamConfig",
    "SpanBeamHead",
    "SummaryChoiceHead",
    "SummaryClassificationHead",
    "SummaryConfig",
    "SummaryKind",
    "TokenClassificationHead",
    "choices_shape",
    "classification_loss",
    "flatten_choices",
    "last_token_classification",
    "mean_of_counted",
    "next_labels",
    "next_token_loss",
    "output_rows",
    "question_answering",
    "sequence_summary",
    "span_beam",
    "span_loss",
    "summary_choice",
    "summary_classification",
    "token_classification",
    "token_loss",
    "whole_labels",
    "whole_places",
]
