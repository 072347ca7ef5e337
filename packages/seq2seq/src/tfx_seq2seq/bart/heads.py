"""BART's heads."""

import torch
from tfx_core.config import ProblemType
from tfx_core.errors import InputError
from tfx_core.heads import Head, LMHead, QuestionAnsweringHead, classification_loss
from tfx_core.outputs import ModelOutput
from torch import Tensor, nn

from tfx_seq2seq.bart.config import BartConfig
from tfx_seq2seq.heads import ConditionalGenerationHead, DecoderLMHead


class BiasedPredictions(nn.Module):
    """States to vocabulary logits, with a stored bias that is not trained."""

    def __init__(self, decoder: nn.Linear) -> None:
        super().__init__()
        self.decoder = decoder
        self.logits_bias = nn.Parameter(torch.zeros(1, decoder.out_features), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, V)``."""
        logits: Tensor = self.decoder(x) + self.logits_bias
        return logits


class EndTokenClassificationHead(Head):
    """Classifies a text by the decoder's state at its last end token."""

    def __init__(self, classifier: nn.Module, eos_token_id: int, problem_type: ProblemType | None) -> None:
        super().__init__()
        self.classifier = classifier
        self.eos_token_id = eos_token_id
        self.problem_type = problem_type

    def forward(self, states: ModelOutput, *, input_ids: Tensor, labels: Tensor | None = None) -> ModelOutput:
        """``input_ids`` ``(B, S)``, each row with an end token; logits ``(B, C)``."""
        ends = input_ids == self.eos_token_id
        if not bool(ends.any(dim=1).all()):
            row = int((~ends.any(dim=1)).nonzero()[0])
            raise InputError(f"input_ids: row {row} has no end token {self.eos_token_id}, whose state is classified")
        last = ends.shape[1] - 1 - ends.long().flip(-1).argmax(dim=-1)
        state = states.last_hidden_state[torch.arange(len(last), device=last.device), last]
        logits = self.classifier(state)
        return states.updated(logits=logits, loss=classification_loss(logits, labels, self.problem_type))


def conditional_generation(config: BartConfig) -> ConditionalGenerationHead:
    """The language model over the decoder's states."""
    return ConditionalGenerationHead(
        BiasedPredictions(_output_layer(config)), config.decoder_start_token_id, config.pad_token_id
    )


def causal_lm(config: BartConfig) -> DecoderLMHead:
    """The language model of the decoder alone."""
    return DecoderLMHead(LMHead(_output_layer(config)))


def sequence_classification(config: BartConfig) -> EndTokenClassificationHead:
    """A classifier of the end token."""
    config.require(isinstance(config.eos_token_id, int), "eos_token_id", "one id for sequence-classification")
    assert isinstance(config.eos_token_id, int)
    classifier = nn.Sequential(
        nn.Dropout(config.classifier_dropout),
        nn.Linear(config.d_model, config.d_model),
        nn.Tanh(),
        nn.Dropout(config.classifier_dropout),
        nn.Linear(config.d_model, config.num_labels),
    )
    return EndTokenClassificationHead(classifier, config.eos_token_id, config.problem_type)


def question_answering(config: BartConfig) -> QuestionAnsweringHead:
    """Start and end scores of every token."""
    return QuestionAnsweringHead(nn.Linear(config.d_model, 2))


def _output_layer(config: BartConfig) -> nn.Linear:
    return nn.Linear(config.d_model, config.vocab_size, bias=False)
