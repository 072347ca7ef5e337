"""RAG's heads: how the documents of a question share in a text, while learning and while writing."""

from collections.abc import Mapping

from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.model import Backbone, HeadPlan, Inputs, ModelOutput
from tfx_core.model.heads import IGNORED, LanguageHead, whole_labels
from tfx_retrieval.rag.config import RagConfig
from tfx_retrieval.rag.marginal import marginalised, next_targets, rag_sequence_loss, rag_token_loss


class RagHead(LanguageHead):
    """Reads the generator's logits; labels are what its decoder reads, with its first token."""

    def __init__(self, config: RagConfig) -> None:
        super().__init__(nn.Identity())
        self.config = config

    def read(self, output: ModelOutput) -> Tensor:
        """The logits, which the generator has made."""
        return output.logits

    def arrange(self, inputs: Inputs) -> Inputs:
        """Let the decoder read the labels ``(B, T)``, unless it is given something else."""
        labels = inputs.get("labels")
        if labels is None or inputs.get("decoder_input_ids") is not None:
            return inputs
        if labels.dim() != 2 or labels.shape[1] < 2:
            raise InputError(
                f"labels of shape {tuple(labels.shape)}: must be (batch, tokens), with the token before the first"
            )
        ids = whole_labels(labels, labels.shape)
        return {**inputs, "decoder_input_ids": ids.masked_fill(ids == IGNORED, self.config.generator.pad_token_id or 0)}

    def targets_of(self, labels: Tensor, mask: Tensor | None) -> Tensor:
        """What is predicted ``(B, T)`` where the decoder reads the labels."""
        return next_targets(labels, self.config.generator.pad_token_id, mask)

    def loss_of(self, losses: Tensor, reduce_loss: bool | None) -> Tensor:
        """Those of the texts ``(B,)``, or their sum."""
        return losses.sum() if (self.config.reduce_loss if reduce_loss is None else reduce_loss) else losses


class RagSequenceHead(RagHead):
    """All of a text is from one document, whichever it is."""

    def forward(
        self,
        states: ModelOutput,
        *,
        decoder_attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        exclude_bos_score: bool | None = None,
        reduce_loss: bool | None = None,
    ) -> ModelOutput:
        """``labels`` ``(B, T)``, as the decoder reads them; loss ``(B,)``, or with ``reduce_loss`` its sum."""
        if labels is None:
            return states
        excluded = self.config.exclude_bos_score if exclude_bos_score is None else exclude_bos_score
        losses = rag_sequence_loss(
            states.logits,
            states.doc_scores,
            self.targets_of(labels, decoder_attention_mask),
            self.config.label_smoothing,
            without=self.first_token if excluded else None,
        )
        return states.updated(loss=self.loss_of(losses, reduce_loss))

    @property
    def first_token(self) -> int | None:
        """The token whose score need not count, as it begins every text."""
        own, of_generator = self.config.bos_token_id, self.config.generator.bos_token_id
        return of_generator if own is None else own


class RagTokenHead(RagHead):
    """Each token is from any document."""

    def forward(
        self,
        states: ModelOutput,
        *,
        decoder_attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        do_marginalize: bool | None = None,
        reduce_loss: bool | None = None,
    ) -> ModelOutput:
        """``labels`` ``(B, T)``, as the decoder reads them; loss ``(B,)``, or with ``reduce_loss`` its sum.

        With ``do_marginalize`` logits are log-probabilities by all documents, ``(B, T, V)``.
        """
        logits, scores = states.logits, states.doc_scores
        if labels is not None:
            targets = self.targets_of(labels, decoder_attention_mask)
            losses = rag_token_loss(logits, scores, targets, self.config.label_smoothing)
            states = states.updated(loss=self.loss_of(losses, reduce_loss))
        if self.config.do_marginalize if do_marginalize is None else do_marginalize:
            states = states.updated(logits=marginalised(logits, scores))
        return states


def _sequence(config: RagConfig, backbone: Backbone) -> RagSequenceHead:
    return RagSequenceHead(config)


def _token(config: RagConfig, backbone: Backbone) -> RagTokenHead:
    return RagTokenHead(config)


HEADS: Mapping[str, HeadPlan[RagConfig]] = {"rag-sequence": HeadPlan(_sequence), "rag-token": HeadPlan(_token)}
