"""ProphetNet's heads: what they compute, what they need, and the names of their tensors."""

from torch import Tensor, nn

from tfx_core.checkpoint import Rename
from tfx_core.errors import InputError
from tfx_core.model import Backbone, HeadPlan, ModelOutput
from tfx_core.model.heads import CausalLMHead, LMHead, NoHead, token_loss, whole_labels
from tfx_seq2seq.heads import ConditionalGenerationHead
from tfx_seq2seq.prophetnet.config import ProphetNetConfig


def first_stream(output: ModelOutput) -> Tensor:
    """The states ``(B, T, D)`` that predict the next token."""
    states: Tensor = output["last_hidden_state_ngram"]
    return states[:, : output.last_hidden_state.shape[1]]


def predicted(states: ModelOutput, predictions: nn.Module, keep: int = 0) -> Tensor:
    """Logits of all streams ``(B, n, T, V)``, or of their last ``keep`` places."""
    length = states.last_hidden_state.shape[1]
    x = states["last_hidden_state_ngram"].unflatten(1, (-1, length))  # (B, n·T, D) -> (B, n, T, D)
    logits: Tensor = predictions(x[:, :, -keep:])
    return logits


def ngram_output(states: ModelOutput, logits: Tensor, labels: Tensor | None, config: ProphetNetConfig) -> ModelOutput:
    """What a head gives: logits of the first stream and the others, and the mean loss of all or the first (§2.4)."""
    return states.updated(
        logits=logits[:, 0],
        logits_ngram=logits[:, 1:] if logits.shape[1] > 1 else None,
        loss=None if labels is None else ngram_loss(logits, labels, states.token_mask, config),
        last_hidden_state_ngram=None,
    )


def ngram_loss(logits: Tensor, labels: Tensor, mask: Tensor | None, config: ProphetNetConfig) -> Tensor | None:
    """Of ``(B, n, T, V)`` against ``(B, T)``: all streams predict the same tokens, from ever farther away."""
    labels = whole_labels(labels, (len(logits), logits.shape[2]))[:, None]
    logits = logits[:, :1] if config.disable_ngram_loss else logits
    counted = None if mask is None else mask[:, None].expand(logits.shape[:-1])
    return token_loss(logits, labels.expand(logits.shape[:-1]), counted, smoothing=config.eps)


class NgramGenerationHead(ConditionalGenerationHead):
    """Predicts the target by several streams; labels are as for every encoder-decoder."""

    config: ProphetNetConfig

    def read(self, output: ModelOutput) -> Tensor:
        """Those of the first predicting stream."""
        return first_stream(output)

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """``labels`` ``(B, T)`` are the target itself; logits ``(B, T, V)`` and ``(B, n - 1, T, V)``."""
        return ngram_output(states, predicted(states, self.predictions), labels, self.config)


class NgramLMHead(CausalLMHead):
    """The language model of the decoder alone; as in the reference, its labels are the next tokens."""

    def __init__(self, predictions: nn.Module, config: ProphetNetConfig) -> None:
        super().__init__(predictions)
        self.config = config

    def read(self, output: ModelOutput) -> Tensor:
        """Those of the first predicting stream."""
        return first_stream(output)

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None, logits_to_keep: int = 0) -> ModelOutput:
        """``labels`` ``(B, T)``: what follows each token; logits ``(B, T, V)`` and ``(B, n - 1, T, V)``."""
        if logits_to_keep and labels is not None:
            raise InputError(f"logits_to_keep={logits_to_keep}: a loss needs the logits of all positions")
        return ngram_output(states, predicted(states, self.predictions, logits_to_keep), labels, self.config)


def _conditional_generation(config: ProphetNetConfig, backbone: Backbone) -> NgramGenerationHead:
    return NgramGenerationHead(LMHead(_output_layer(config)), config)


def _causal_lm(config: ProphetNetConfig, backbone: Backbone) -> NgramLMHead:
    return NgramLMHead(LMHead(_output_layer(config)), config)


def _output_layer(config: ProphetNetConfig) -> nn.Linear:
    return nn.Linear(config.hidden_size, config.vocab_size, bias=False)


def _without_encoder(config: ProphetNetConfig) -> ProphetNetConfig:
    return config.replace(is_decoder=True, is_encoder_decoder=False)


PREDICTIONS = (Rename("lm_head.weight", "head.predictions.decoder.weight"),)

HEADS: dict[str, HeadPlan[ProphetNetConfig]] = {
    "conditional-generation": HeadPlan(
        _conditional_generation,
        rules={"predictions": PREDICTIONS},
        parts={"encoder", "decoder"},
        ties=(("head.predictions.decoder.weight", "backbone.decoder.embeddings.token.weight"),),
    ),
    "causal-lm": HeadPlan(
        _causal_lm,
        rules={"predictions": PREDICTIONS},
        parts={"decoder"},
        ties=(("head.predictions.decoder.weight", "backbone.embeddings.token.weight"),),
        adapt=_without_encoder,
    ),
    "encoder-only": HeadPlan(lambda config, backbone: NoHead(), parts={"encoder", "alone"}, prefix=""),
    "decoder-only": HeadPlan(
        lambda config, backbone: NoHead(), parts={"decoder", "alone"}, prefix="", adapt=_without_encoder
    ),
}
