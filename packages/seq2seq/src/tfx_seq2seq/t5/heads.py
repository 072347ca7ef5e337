"""T5's heads: what they compute, what they need, and the names of their tensors."""

from torch import Tensor, nn

from tfx_core.checkpoint import Rename
from tfx_core.model import Backbone, HeadPlan
from tfx_core.model.heads import NoHead, output_rows, question_answering, token_classification
from tfx_seq2seq.heads import ConditionalGenerationHead, end_token_classification
from tfx_seq2seq.t5.config import T5Config


class ScaledPredictions(nn.Module):
    """States, scaled, to vocabulary logits; the scale was learned with an output layer that is the token table."""

    def __init__(self, decoder: nn.Linear, scale: float) -> None:
        super().__init__()
        self.decoder = decoder
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, V)``."""
        logits: Tensor = self.decoder(x * self.scale)
        return logits

    def only(self, tokens: Tensor) -> "ScaledPredictions":
        """The same for these tokens ``(n,)``: ``(…, D) -> (…, n)``."""
        return ScaledPredictions(output_rows(self.decoder, tokens), self.scale)


def _conditional_generation(config: T5Config, backbone: Backbone) -> ConditionalGenerationHead:
    decoder = nn.Linear(config.d_model, config.vocab_size, bias=False)
    scale = config.d_model**-0.5 if config.scale_decoder_outputs else 1.0
    return ConditionalGenerationHead(ScaledPredictions(decoder, scale), config)


PREDICTIONS = (Rename("lm_head.weight", "head.predictions.decoder.weight"),)
TIES = (("head.predictions.decoder.weight", "backbone.encoder.embeddings.token.weight"),)

HEADS: dict[str, HeadPlan[T5Config]] = {
    "conditional-generation": HeadPlan(
        _conditional_generation, rules={"predictions": PREDICTIONS}, parts={"decoder"}, prefix="", ties=TIES
    ),
    "encoder-only": HeadPlan(lambda config, backbone: NoHead(), prefix=""),
    "sequence-classification": end_token_classification(
        lambda config: config.classifier_dropout, parts={"decoder", "start"}
    ),
    "token-classification": token_classification(lambda config: config.classifier_dropout),
    "question-answering": question_answering(parts={"decoder", "start"}, prefix=""),
}
