"""RAG's backbone: a question encoder, a generator that reads each document with the question, and what joins them."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tfx_core.checkpoint import BackboneRules, Drop, Rule
from tfx_core.errors import InputError
from tfx_core.model import Backbone, Model, ModelConfig, ModelOutput, build_part, load_architecture, part_rules
from tfx_core.nn import AttentionKernel, DecoderCache, first_tokens, sdpa
from tfx_retrieval.rag.config import RagConfig
from tfx_retrieval.rag.documents import Documents
from tfx_retrieval.rag.writing import generate

GENERATOR_HEAD = "conditional-generation"

_OF_GENERATOR = {
    "logits": "logits",
    "past_key_values": "past_key_values",
    "encoder_last_hidden_state": "generator_enc_last_hidden_state",
    "encoder_hidden_states": "generator_enc_hidden_states",
    "encoder_attentions": "generator_enc_attentions",
    "decoder_hidden_states": "generator_dec_hidden_states",
    "decoder_attentions": "generator_dec_attentions",
    "cross_attentions": "generator_cross_attentions",
}


class RagOutput(ModelOutput):
    """The generator's results, ``n`` rows for each question, and what they were made of."""

    places: ClassVar[tuple[str, ...]] = (
        *("loss", "logits", "doc_scores", "past_key_values", "retrieved_doc_embeds"),
        *("context_input_ids", "context_attention_mask"),
        *("question_encoder_last_hidden_state", "question_enc_hidden_states", "question_enc_attentions"),
        *("generator_enc_last_hidden_state", "generator_enc_hidden_states", "generator_enc_attentions"),
        *("generator_dec_hidden_states", "generator_dec_attentions", "generator_cross_attentions"),
    )
    logits: Tensor
    """``(B·n, T, V)``, with ``do_marginalize`` log-probabilities ``(B, T, V)``."""
    doc_scores: Tensor
    """``(B, n)``."""
    question_encoder_last_hidden_state: Tensor
    """The question's vector ``(B, D)``, where the call made it; the name is the reference's."""


class RagBackbone(Backbone):
    """Question encoder and generator, and a context encoder where passages' vectors learn as well.

    ``reports_retrieved`` is whether a call that does not say so reports what it read.
    """

    def __init__(
        self,
        question_encoder: Model,
        generator: Model,
        ctx_encoder: Model | None = None,
        *,
        reports_retrieved: bool = False,
    ) -> None:
        super().__init__(generator.backbone.width, max_positions=question_encoder.max_positions)
        self.question_encoder = question_encoder
        self.generator = generator
        self.ctx_encoder = ctx_encoder
        self.reports_retrieved = reports_retrieved

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        context_input_ids: Tensor | None = None,
        context_attention_mask: Tensor | None = None,
        doc_scores: Tensor | None = None,
        retrieved_doc_embeds: Tensor | None = None,
        retrieved_doc_input_ids: Tensor | None = None,
        retrieved_doc_attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: Any = None,
        past_key_values: DecoderCache | None = None,
        n_docs: int | None = None,
        use_cache: bool = False,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        output_retrieved: bool | None = None,
        attention: AttentionKernel = sdpa,
    ) -> RagOutput:
        """Documents with their question ``(B·n, S)`` and decoder ids ``(B, T)`` -> logits ``(B·n, T, V)``.

        ``doc_scores`` ``(B, n)`` are those of the documents, or made of the question ``input_ids`` and the documents'
        vectors ``(B, n, D)``, so that the question encoder learns; the vectors are made of the documents themselves,
        ``retrieved_doc_input_ids`` ``(B·n, P)``, where there is a context encoder. Raises `InputError` for what does
        not fit together.
        """
        asked = {
            "output_attentions": output_attentions,
            "output_hidden_states": output_hidden_states,
            "attention": attention,
        }
        documents, of_question = self.documents(
            input_ids=input_ids,
            attention_mask=attention_mask,
            context_input_ids=context_input_ids,
            context_attention_mask=context_attention_mask,
            doc_scores=doc_scores,
            retrieved_doc_embeds=retrieved_doc_embeds,
            retrieved_doc_input_ids=retrieved_doc_input_ids,
            retrieved_doc_attention_mask=retrieved_doc_attention_mask,
            encoder_outputs=encoder_outputs,
            n_docs=n_docs,
            **asked,
        )
        targets = {"decoder_input_ids": decoder_input_ids, "decoder_attention_mask": decoder_attention_mask}
        generated = self.generator(
            **documents.sources,
            **{name: documents.each(given) for name, given in targets.items() if given is not None},
            past_key_values=past_key_values,
            use_cache=use_cache,
            **asked,
        )
        retrieved = {"context_input_ids": context_input_ids, "context_attention_mask": context_attention_mask}
        reports = self.reports_retrieved if output_retrieved is None else output_retrieved
        if not reports:
            of_question.pop("retrieved_doc_embeds", None)
        return RagOutput(
            doc_scores=documents.scores,
            **{theirs: generated.get(name) for name, theirs in _OF_GENERATOR.items()},
            **of_question,
            **(retrieved if reports else {}),
        )

    def documents(
        self,
        *,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        context_input_ids: Tensor | None = None,
        context_attention_mask: Tensor | None = None,
        doc_scores: Tensor | None = None,
        retrieved_doc_embeds: Tensor | None = None,
        retrieved_doc_input_ids: Tensor | None = None,
        retrieved_doc_attention_mask: Tensor | None = None,
        encoder_outputs: Any = None,
        n_docs: int | None = None,
        **asked: Any,
    ) -> tuple[Documents, dict[str, Any]]:
        """What a call's inputs say of the documents, and what the question encoder gave, by names of `RagOutput`."""
        of_question: dict[str, Any] = {}
        if doc_scores is None:
            question = self._encoded(input_ids, attention_mask, asked)
            vector = text_vector(question)
            if retrieved_doc_embeds is None:
                retrieved_doc_embeds = self._embedded(retrieved_doc_input_ids, retrieved_doc_attention_mask, asked)
                retrieved_doc_embeds = retrieved_doc_embeds.view(len(vector), -1, retrieved_doc_embeds.shape[-1])
            doc_scores = dot_products(vector, retrieved_doc_embeds)
            of_question = {
                "question_encoder_last_hidden_state": vector,
                "question_enc_hidden_states": question.get("hidden_states"),
                "question_enc_attentions": question.get("attentions"),
                "retrieved_doc_embeds": retrieved_doc_embeds,
            }
        documents = Documents.of(doc_scores, context_input_ids, context_attention_mask, encoder_outputs, n_docs)
        return documents, of_question

    def _encoded(self, ids: Tensor | None, mask: Tensor | None, asked: Mapping[str, Any]) -> ModelOutput:
        if ids is None:
            raise InputError(
                "doc_scores: give them, or input_ids of the question and retrieved_doc_embeds, the documents' vectors"
            )
        output: ModelOutput = self.question_encoder(input_ids=ids, attention_mask=mask, **asked)
        return output

    def _embedded(self, ids: Tensor | None, mask: Tensor | None, asked: Mapping[str, Any]) -> Tensor:
        if self.ctx_encoder is None or ids is None:
            cure = "" if self.ctx_encoder is None else " or retrieved_doc_input_ids"
            raise InputError(
                f"context_input_ids with doc_scores, or with retrieved_doc_embeds{cure}: a call needs the documents "
                "that were found for its questions; the task retrieval-augmented-generation finds them in an index"
            )
        return text_vector(self.ctx_encoder(input_ids=ids, attention_mask=mask, attention=asked["attention"]))

    def embed(self, input_ids: Tensor) -> Tensor:
        """Ids of the generator's sources -> their vectors."""
        return self.generator.backbone.embed(input_ids)

    @property
    def token_tables(self) -> Sequence[tuple[nn.Module, str]]:
        """The generator's."""
        return self.generator.backbone.token_tables

    @property
    def source_reader(self) -> Backbone | None:
        """The generator's encoder."""
        return self.generator.backbone.source_reader

    @property
    def text_writer(self) -> Backbone | None:
        """The generator's decoder."""
        return self.generator.backbone.text_writer

    @property
    def most_read(self) -> int | None:
        """The longest text that the generator goes on from."""
        return self.generator.most_read

    def new_cache(self) -> DecoderCache:
        """An empty cache of the generator."""
        return self.generator.backbone.new_cache()

    def generate(self, model: Any, input_ids: Tensor | None = None, **options: Any) -> Any:
        """Write a text for each question by all its documents, as the head does it."""
        return generate(model, input_ids=input_ids, **options)


def text_vector(output: ModelOutput) -> Tensor:
    """What stands for a whole text ``(B, D)``: the pooled state, or where there is none the first token's."""
    if "pooler_output" in output:
        return output.pooler_output
    return first_tokens(output.last_hidden_state, output.token_mask)


def dot_products(questions: Tensor, documents: Tensor) -> Tensor:
    """Scores ``(B, n)`` of the vectors ``(B, n, D)`` of documents by those ``(B, D)`` of their questions."""
    if documents.dim() != 3 or documents.shape[::2] != questions.shape:
        raise InputError(
            f"retrieved_doc_embeds of shape {tuple(documents.shape)}: must be ({questions.shape[0]}, n, "
            f"{questions.shape[1]}), as wide as the question encoder's vectors"
        )
    return torch.einsum("bd,bnd->bn", questions, documents.to(questions.dtype))


def build_backbone(config: RagConfig, parts: frozenset[str]) -> RagBackbone:
    """The models whose configs it has; raises `UnknownNameError` where nothing gives one, or it cannot write."""
    return RagBackbone(
        build_part(config.question_encoder, encoder_head(config.question_encoder, "question-encoder")),
        build_part(config.generator, GENERATOR_HEAD),
        None
        if config.ctx_encoder is None
        else build_part(config.ctx_encoder, encoder_head(config.ctx_encoder, "context-encoder")),
        reports_retrieved=config.output_retrieved,
    )


def encoder_head(config: ModelConfig, preferred: str) -> str:
    """The head that gives the vector of a text: one for this very purpose, or none."""
    return preferred if preferred in load_architecture(config.model_type).heads else "backbone"


def backbone_rules(config: RagConfig, parts: frozenset[str]) -> BackboneRules:
    """Names of the tensors: the reference's ``RagModel`` has them without ``rag.``."""
    question, context = config.question_encoder, config.ctx_encoder
    of_question = part_rules(
        question,
        encoder_head(question, "question-encoder"),
        name="question_encoder",
        theirs="rag.question_encoder.",
    )
    of_generator = part_rules(config.generator, GENERATOR_HEAD, name="generator", theirs="rag.generator.")
    # the reference's training keeps a context encoder there, and says nothing of it in the config
    of_context: tuple[Rule, ...] = (Drop("rag.ctx_encoder.{x}"),)
    if context is not None:
        head = encoder_head(context, "context-encoder")
        of_context = part_rules(context, head, name="ctx_encoder", theirs="rag.ctx_encoder.")
    return BackboneRules((*of_question, *of_generator, *of_context), prefix="rag.")
