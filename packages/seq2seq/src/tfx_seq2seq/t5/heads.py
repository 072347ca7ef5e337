"""T5's heads."""

from torch import Tensor, nn

from tfx_core.model.heads import NoHead, QuestionAnsweringHead, TokenClassificationHead
from tfx_seq2seq.heads import ConditionalGenerationHead, EndTokenClassificationHead, end_token_classifier
from tfx_seq2seq.t5.config import T5Config


class ScaledPredictions(nn.Module):
    """States, scaled, to vocabulary logits; the scale belongs to an output layer that is the token table."""

    def __init__(self, decoder: nn.Linear, scale: float) -> None:
        super().__init__()
        self.decoder = decoder
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, V)``."""
        logits: Tensor = self.decoder(x * self.scale)
        return logits


def conditional_generation(config: T5Config) -> ConditionalGenerationHead:
    """The language model over the decoder's states."""
    decoder = nn.Linear(config.d_model, config.vocab_size, bias=False)
    scale = config.d_model**-0.5 if config.tie_word_embeddings else 1.0
    return ConditionalGenerationHead(
        ScaledPredictions(decoder, scale), config.decoder_start_token_id, config.pad_token_id
    )


def encoder_only(config: T5Config) -> NoHead:
    """The encoder's states."""
    return NoHead()


def sequence_classification(config: T5Config) -> EndTokenClassificationHead:
    """A classifier of the end token."""
    return end_token_classifier(config, config.d_model, config.classifier_dropout)


def token_classification(config: T5Config) -> TokenClassificationHead:
    """A classifier of every token of the encoder."""
    classifier = nn.Linear(config.d_model, config.num_labels)
    return TokenClassificationHead(nn.Sequential(nn.Dropout(config.classifier_dropout), classifier))


def question_answering(config: T5Config) -> QuestionAnsweringHead:
    """Start and end scores of every token."""
    return QuestionAnsweringHead(nn.Linear(config.d_model, 2))
