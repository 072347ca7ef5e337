"""Longformer's heads: RoBERTa's, of which those for texts, answers and choices also choose the global tokens."""

from abc import abstractmethod
from dataclasses import replace

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.model import Backbone, HeadPlan, Inputs
from tfx_core.model.heads import (
    Head,
    MultipleChoiceHead,
    QuestionAnsweringHead,
    SummaryClassificationHead,
    question_answering,
    token_classification,
)
from tfx_core.nn import can_read
from tfx_encoders.heads import first_token, first_token_classification, head_dropout, masked_lm, pooled_choice
from tfx_encoders.longformer.config import LongformerConfig
from tfx_encoders.roberta.heads import PREDICTIONS, predictions


class ChoosingHead(Head):
    """Chooses the global tokens of a call that does not say which they are."""

    def arrange(self, inputs: Inputs) -> Inputs:
        """With a ``global_attention_mask``; inputs that contradict each other are the backbone's to refuse."""
        arranged = super().arrange(inputs)
        real = None if "global_attention_mask" in inputs else _real(arranged)
        return arranged if real is None else {**arranged, "global_attention_mask": self.choose(real, arranged)}

    @abstractmethod
    def choose(self, real: Tensor, inputs: Inputs) -> Tensor:
        """Of the real tokens, Boolean ``(B, T)``, the global ones."""


class TextHead(ChoosingHead, SummaryClassificationHead):
    """Classifies a text by its first token, which is global."""

    def choose(self, real: Tensor, inputs: Inputs) -> Tensor:
        """The first token of each row."""
        return real & (real.cumsum(1) == 1)


class AnswerHead(ChoosingHead, QuestionAnsweringHead):
    """Finds an answer to a question, all of whose tokens are global."""

    def __init__(self, outputs: nn.Module, config: LongformerConfig) -> None:
        super().__init__(outputs)
        self.config = config

    def choose(self, real: Tensor, inputs: Inputs) -> Tensor:
        """What stands before the first separator."""
        return real & (_separators(real, inputs, self.config.sep_token_id).cumsum(1) == 0)


class ChoiceHead(ChoosingHead, MultipleChoiceHead):
    """Scores choices, all of whose tokens are global; not those of the prompt before each, as in the released code."""

    def __init__(self, classifier: nn.Module, config: LongformerConfig) -> None:
        super().__init__(classifier)
        self.config = config

    def choose(self, real: Tensor, inputs: Inputs) -> Tensor:
        """What stands behind the first two separators, which are one behind the other."""
        behind = _separators(real, inputs, self.config.sep_token_id).cumsum(1) > 0
        return real & ((real & behind).cumsum(1) > 2)


def _real(inputs: Inputs) -> Tensor | None:
    """Which tokens ``(B, T)`` are real; ``None`` where the inputs do not fit together."""
    ids, vectors, mask = (inputs.get(name) for name in ("input_ids", "inputs_embeds", "attention_mask"))
    tokens = ids if vectors is None else vectors
    if tokens is None or tokens.dim() != (2 if vectors is None else 3):
        return None
    if mask is None:
        return torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
    return mask.bool() if mask.shape == tokens.shape[:2] else None


def _separators(real: Tensor, inputs: Inputs, separator: int | None) -> Tensor:
    """Where separators are, Boolean ``(B, T)``; raises `InputError` where none can tell what is global."""
    cure = "give global_attention_mask, 1 for each token that shall see all others"
    if separator is None:
        raise InputError(f"sep_token_id=None in the config: nothing tells two texts of a row apart; {cure}")
    if "input_ids" not in inputs:
        raise InputError(f"inputs_embeds: vectors do not tell which token separates two texts; {cure}")
    found: Tensor = real & (inputs["input_ids"] == separator)
    if can_read(found) and not bool(found.any(1).all()):
        row = int(found.any(1).logical_not().nonzero()[0])
        raise InputError(
            f"input_ids: row {row} has no token {separator} (sep_token_id), which separates its two texts; tokenize "
            f"them as a pair, or {cure}"
        )
    return found


def _text_head(config: LongformerConfig, backbone: Backbone) -> TextHead:
    summary = first_token(backbone.width, nn.Tanh(), config.head_dropout, config.head_dropout)
    return TextHead(summary, nn.Linear(backbone.width, config.num_labels), config)


def _choice_head(config: LongformerConfig, backbone: Backbone) -> ChoiceHead:
    return ChoiceHead(nn.Sequential(nn.Dropout(config.hidden_dropout_prob), nn.Linear(backbone.width, 1)), config)


HEADS: dict[str, HeadPlan[LongformerConfig]] = {
    "masked-lm": masked_lm(predictions, PREDICTIONS),
    "sequence-classification": replace(first_token_classification(lambda config: nn.Tanh()), build=_text_head),
    "token-classification": token_classification(head_dropout),
    "question-answering": replace(
        question_answering(), build=lambda config, backbone: AnswerHead(nn.Linear(backbone.width, 2), config)
    ),
    "multiple-choice": replace(pooled_choice(lambda config: config.hidden_dropout_prob), build=_choice_head),
}
