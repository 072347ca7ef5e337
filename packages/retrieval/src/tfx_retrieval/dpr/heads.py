"""DPR's heads: what they compute, what they need, and the names of their tensors."""

import logging
from collections.abc import Callable

import torch
from torch import nn

from tfx_core.checkpoint import Legacy, Rename, Rule
from tfx_core.model import Backbone, HeadPlan, ModelOutput
from tfx_core.model.heads import Head
from tfx_core.nn import first_tokens
from tfx_retrieval.dpr.config import DprConfig
from tfx_retrieval.dpr.weights import PREFIX

_log = logging.getLogger("tfx_core")

_CLASSES = {
    "question-encoder": ("DPRQuestionEncoder", "DPRPretrainedQuestionEncoder"),
    "context-encoder": ("DPRContextEncoder", "DPRPretrainedContextEncoder"),
}


class EncoderHead(Head):
    """The vector of a text: its first token's state, projected or as it is (Karpukhin et al. 2020, §3.1)."""

    def __init__(self, projection: nn.Module) -> None:
        super().__init__()
        self.projection = projection

    def forward(self, states: ModelOutput) -> ModelOutput:
        """The vectors ``(B, projection_dim)``, or ``(B, D)`` without a projection, are the ``pooler_output``."""
        first = first_tokens(states.last_hidden_state, states.token_mask)
        return states.updated(pooler_output=self.projection(first))


class ReaderHead(Head):
    """Scores each token as an answer's start and end, and each passage as the one that answers (ibid., §6.1).

    It reads the encoder's states: a projection, which its checkpoints may have, is kept and not used.
    """

    def __init__(self, outputs: nn.Module, classifier: nn.Module, projection: nn.Module) -> None:
        super().__init__()
        self.qa_outputs = outputs
        self.qa_classifier = classifier
        self.projection = projection.requires_grad_(False)

    def forward(self, states: ModelOutput) -> ModelOutput:
        """Of passages read with their question: logits ``(B, S)``, lowest on padding, and relevance ``(B,)``."""
        mask, spans = states.token_mask, self.qa_outputs(states.last_hidden_state)  # (B, S, 2)
        if mask is not None:
            spans = spans.masked_fill(~mask[..., None], torch.finfo(spans.dtype).min)
        start_logits, end_logits = spans.unbind(-1)
        relevance = self.qa_classifier(first_tokens(states.last_hidden_state, mask)).squeeze(-1)
        return states.updated(start_logits=start_logits, end_logits=end_logits, relevance_logits=relevance)


def _projection(config: DprConfig, width: int) -> nn.Module:
    return nn.Linear(width, config.projection_dim) if config.projection_dim else nn.Identity()


def _reader(config: DprConfig, backbone: Backbone) -> ReaderHead:
    width = backbone.width
    return ReaderHead(nn.Linear(width, 2), nn.Linear(width, 1), _projection(config, width))


def _telling(head: str) -> Callable[[DprConfig], DprConfig]:
    """Say it where the other of the two encoders is read: their weights differ, and their names fit each other."""
    others = {name: other for other, names in _CLASSES.items() if other != head for name in names}

    def told(config: DprConfig) -> DprConfig:
        for name in config.architectures:
            if name in others:
                _log.warning("these are the weights of a %s (%s), read as a %s", others[name], name, head)
        return config

    return told


PROJECTION: tuple[Rule, ...] = (Rename(f"{PREFIX}encode_proj.{{p}}", "head.projection.{p}"),)
SPANS: tuple[Rule, ...] = (
    Legacy("qa_outputs.{p}", "span_predictor.qa_outputs.{p}"),
    Legacy("qa_classifier.{p}", "span_predictor.qa_classifier.{p}"),
    Rename("span_predictor.qa_outputs.{p}", "head.qa_outputs.{p}"),
    Rename("span_predictor.qa_classifier.{p}", "head.qa_classifier.{p}"),
)


def _encoder(head: str, prefix: str) -> HeadPlan[DprConfig]:
    return HeadPlan(
        lambda config, backbone: EncoderHead(_projection(config, backbone.width)),
        rules={"projection": PROJECTION},
        prefix=prefix,
        adapt=_telling(head),
    )


HEADS: dict[str, HeadPlan[DprConfig]] = {
    "question-encoder": _encoder("question-encoder", "question_encoder."),
    "context-encoder": _encoder("context-encoder", "ctx_encoder."),
    "reader": HeadPlan(_reader, rules={"projection": PROJECTION, "spans": SPANS}, prefix="span_predictor.encoder."),
}
