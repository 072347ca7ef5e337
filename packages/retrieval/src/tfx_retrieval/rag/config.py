"""RAG's configuration."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from tfx_core.errors import ConfigError
from tfx_core.fields import Rate, Size
from tfx_core.model import ModelConfig

_OF_PARTS = "it is a size of its question encoder and of its generator, whose configs have it"


def _missing(name: str) -> ModelConfig:
    raise ConfigError(f"{name}: is missing; must be the config of a model, an object whose model_type names it")


@dataclass(kw_only=True)
class RagConfig(ModelConfig):
    """Keys of a RAG's ``config.json``, two of which are configs of other models (Lewis et al. 2020)."""

    model_type: ClassVar[str] = "rag"
    absent: ClassVar[Mapping[str, str]] = dict.fromkeys(
        (
            *("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size"),
            "max_position_embeddings",
        ),
        _OF_PARTS,
    )
    settable: ClassVar[Collection[str]] = {
        *ModelConfig.settable,
        *("n_docs", "max_combined_length", "title_sep", "doc_sep"),
        *("label_smoothing", "do_marginalize", "exclude_bos_score", "reduce_loss", "do_deduplication"),
    }
    inert_keys: ClassVar[Collection[str]] = (
        # where the reference's retriever finds its passages; here an index is named at use
        *("dataset", "dataset_split", "dataset_revision", "index_name", "index_path", "passages_path"),
        *("use_dummy_dataset", "retrieval_batch_size"),
    )

    question_encoder: ModelConfig = field(default_factory=partial(_missing, "question_encoder"))
    """Config of what makes a question's vector, of any architecture; ``dpr`` as released."""
    generator: ModelConfig = field(default_factory=partial(_missing, "generator"))
    """Config of the encoder-decoder that writes, of any architecture with a conditional-generation head."""
    ctx_encoder: ModelConfig | None = None
    """Config of what makes the vectors of passages, where that learns, too; no key of the reference's."""
    n_docs: Size = 5
    """Documents that are retrieved for a question."""
    max_combined_length: Size = 300
    """Most tokens of a document and its question together."""
    title_sep: str = " / "
    """What stands between the title and the text of a document."""
    doc_sep: str = " // "
    """What stands between a document and the question."""
    retrieval_vector_size: Size = 768
    """Width of the vectors in the index."""
    label_smoothing: Rate = 0.0
    """Share of the loss that is the mean over all tokens."""
    do_marginalize: bool = False
    """Whether RAG-token's logits are those of all documents together, where a call does not say."""
    exclude_bos_score: bool = False
    """Whether RAG-sequence's loss leaves out a first token that begins every text."""
    reduce_loss: bool = False
    """Whether the loss is one number, the sum over the batch."""
    do_deduplication: bool = True
    """Whether RAG-sequence scores a text once that it wrote from several documents."""
    output_retrieved: bool = False
    """Whether a call reports the documents that it was given."""
    is_encoder_decoder: bool = True
    """Whether the model has an encoder and a decoder."""

    @property
    def vocab_size(self) -> int:
        """Number of tokens that the generator writes."""
        size: int = getattr(self.generator, self.generator.target_vocabulary)
        return size

    @property
    def hidden_size(self) -> Any:
        """Width of the generator's states."""
        return getattr(self.generator, "hidden_size")  # noqa: B009  # an alias in some

    @property
    def of_generation(self) -> dict[str, Any]:
        """Its own keys over the generator's."""
        return {**self.generator.of_generation, **super().of_generation}
