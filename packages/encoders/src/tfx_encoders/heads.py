"""Heads that encoders have in common, and how they name their tensors."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.checkpoint import Rename, Rule, Same
from tfx_core.model import HeadPlan, ModelConfig, ModelOutput
from tfx_core.model.heads import (
    CausalLMHead,
    Head,
    LMHead,
    MaskedLMHead,
    MultipleChoiceHead,
    SequenceClassificationHead,
    SequenceSummary,
    SummaryConfig,
    at_positions,
    sequence_summary,
    summary_choice,
    summary_classification,
    token_loss,
)
from tfx_core.nn import Activation, ActivationFunction
from tfx_encoders.post_norm.config import PostNormConfig

C = TypeVar("C", bound=ModelConfig)
P = TypeVar("P", bound=PostNormConfig)
S = TypeVar("S", bound=SummaryConfig)

TIES = (("head.predictions.decoder.weight", "backbone.embeddings.token.weight"),)


def build_predictions(width: int, embedding_width: int, vocab_size: int, activation: Activation, eps: float) -> LMHead:
    """States ``width`` wide through a layer as wide as the token vectors, an activation and a norm, to logits."""
    transform = nn.Sequential(
        nn.Linear(width, embedding_width), ActivationFunction(activation), nn.LayerNorm(embedding_width, eps=eps)
    )
    return LMHead(nn.Linear(embedding_width, vocab_size), transform)


def prediction_rules(dense: str, norm: str, decoder: str, bias: str | None = None) -> tuple[Rule, ...]:
    """The rules of `build_predictions`, by the names of its layers in a checkpoint.

    ``bias`` is the name of the logits' bias where it is stored outside of the ``decoder``, as well. Before the two were
    one, the decoder's was added to it and nothing ever filled it; since 5.0 nothing reads it where nothing is tied.
    """
    rules: tuple[Rule, ...] = (
        Rename(dense + ".{p}", "head.predictions.transform.0.{p}"),
        Rename(norm + ".{p}", "head.predictions.transform.2.{p}"),
        Rename(decoder + ".weight", "head.predictions.decoder.weight"),
    )
    if bias is not None:  # the other one is read by it where nothing is tied
        rules += (Same(decoder + ".bias", bias, written=True, blank=True),)
    return (*rules, Rename(bias or decoder + ".bias", "head.predictions.decoder.bias"))


def masked_lm(predictions: Callable[[C], LMHead], rules: Sequence[Rule]) -> HeadPlan[C]:
    """The head that predicts masked tokens, its output layer tied to the token vectors."""
    return HeadPlan(lambda config, backbone: MaskedLMHead(predictions(config)), rules={"predictions": rules}, ties=TIES)


def causal_lm(predictions: Callable[[C], LMHead], rules: Sequence[Rule]) -> HeadPlan[C]:
    """The same as a language model, with a causal mask."""
    return HeadPlan(
        lambda config, backbone: CausalLMHead(predictions(config)),
        rules={"predictions": rules},
        ties=TIES,
        adapt=lambda config: config.replace(is_decoder=True),
    )


class SegmentPretrainingHead(Head):
    """Masked tokens and how two segments are related; a subclass names its results and labels.

    The loss is the sum of both, and asks for the labels of both.
    """

    def __init__(self, predictions: nn.Module, relationship: nn.Module) -> None:
        super().__init__()
        self.predictions = predictions
        self.relationship = relationship

    def related(
        self,
        states: ModelOutput,
        labels: Tensor | None,
        label: Tensor | None,
        positions: Tensor | None,
        *,
        label_name: str,
        logits_name: str,
    ) -> ModelOutput:
        """``labels`` ``(B, S)`` of tokens, ``label`` ``(B,)`` of segments; both logits, of tokens at ``positions``."""
        of_tokens = self.predictions(at_positions(states.last_hidden_state, positions, labels))
        of_segments = self.relationship(states.pooler_output)
        token, segments = (
            token_loss(of_tokens, labels, states.token_mask),
            token_loss(of_segments, label, name=label_name),
        )
        loss = None if token is None or segments is None else token + segments
        return states.updated(**{"prediction_logits": of_tokens, logits_name: of_segments, "loss": loss})


def head_dropout(config: PostNormConfig) -> float:
    """Dropout before the classifiers."""
    return config.head_dropout


def pooled_classification(dropout: Callable[[C], float]) -> HeadPlan[C]:
    """A classifier of texts by what the pooler makes of the first token."""
    return HeadPlan(
        lambda config, backbone: SequenceClassificationHead(
            _classifier(dropout(config), backbone.width, config.num_labels), config
        ),
        rules={"sequence-classifier": _CLASSIFIER},
        parts={"pooler"},
    )


def pooled_choice(dropout: Callable[[C], float]) -> HeadPlan[C]:
    """A score of each choice by what the pooler makes of its first token."""
    return HeadPlan(
        lambda config, backbone: MultipleChoiceHead(_classifier(dropout(config), backbone.width, 1)),
        rules={"choice-classifier": _CLASSIFIER},
        parts={"pooler"},
    )


_CLASSIFIER = (Rename("classifier.{p}", "head.classifier.1.{p}"),)


def _classifier(dropout: float, width: int, classes: int) -> nn.Module:
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(width, classes))


def first_token(width: int, activation: nn.Module, first_dropout: float, last_dropout: float) -> SequenceSummary:
    """The first token's state through dropout, a layer, an activation and dropout (Liu et al. 2019, RoBERTa's code)."""
    return SequenceSummary("first", nn.Linear(width, width), activation, first_dropout, last_dropout)


def first_token_rules(dense: str, classifier: str) -> tuple[Rule, ...]:
    """The rules of a classifier that reads `first_token`."""
    return (
        Rename(dense + ".{p}", "head.summary.project.{p}"),
        Rename(classifier + ".{p}", "head.classifier.{p}"),
    )


def first_token_classification(activation: Callable[[P], nn.Module]) -> HeadPlan[P]:
    """RoBERTa's classifier of texts, which reads `first_token`."""
    return summary_classification(
        lambda config, width: first_token(width, activation(config), config.head_dropout, config.head_dropout),
        first_token_rules("classifier.dense", "classifier.out_proj"),
        "sequence-classifier",
    )


GENERATOR = prediction_rules("generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head")
"""Of the generator beside which ELECTRA's discriminator learns (Clark et al. 2020)."""


def described_choice() -> HeadPlan[S]:
    """A score of each choice by the summary that the config describes."""
    rules = (
        Rename("sequence_summary.summary.{p}", "head.summary.project.{p}"),
        Rename("classifier.{p}", "head.classifier.{p}"),
    )
    return summary_choice(sequence_summary, rules, "choice-classifier")


class ReplacedTokensHead(Head):
    """Tells of every token whether it was replaced by a generator's (Clark et al. 2020, §2)."""

    def __init__(self, discriminate: nn.Module) -> None:
        super().__init__()
        self.discriminate = discriminate

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """``labels`` ``(B, S)``, 1 where a token was replaced, `IGNORED` where it does not count.

        Logits ``(B, S)``, above 0 where it was rather than not.
        """
        logits = self.discriminate(states.last_hidden_state).squeeze(-1)
        # a sigmoid is the softmax of two logits of which one is 0
        loss = token_loss(F.pad(logits[..., None], (1, 0)), labels, states.token_mask)
        return states.updated(logits=logits, loss=loss)


def replaced_tokens(activation: Callable[[C], Activation]) -> HeadPlan[C]:
    """The discriminator: a layer as wide as the states, an activation, and a score."""
    return HeadPlan(
        lambda config, backbone: ReplacedTokensHead(
            nn.Sequential(
                nn.Linear(backbone.width, backbone.width),
                ActivationFunction(activation(config)),
                nn.Linear(backbone.width, 1),
            )
        ),
        rules={
            "discriminator": (
                Rename("discriminator_predictions.dense.{p}", "head.discriminate.0.{p}"),
                Rename("discriminator_predictions.dense_prediction.{p}", "head.discriminate.2.{p}"),
            )
        },
    )
