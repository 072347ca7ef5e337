"""What tfx-retrieval provides, as light as a plugin must be: neither torch nor FAISS is imported here."""

from typing import TYPE_CHECKING

from tfx_core import ArchitectureSpec, IndexSpec, TaskSpec, hookimpl

if TYPE_CHECKING:
    import click

TFX_API = 1


@hookimpl
def tfx_architectures() -> list[ArchitectureSpec]:
    """The models that search and read passages."""
    return [
        ArchitectureSpec(
            "dpr",
            target="tfx_retrieval.dpr:ARCHITECTURE",
            hf_classes={
                "DPREncoder": "backbone",
                "DPRQuestionEncoder": "question-encoder",
                "DPRContextEncoder": "context-encoder",
                "DPRReader": "reader",
                "DPRPretrainedQuestionEncoder": "question-encoder",
                "DPRPretrainedContextEncoder": "context-encoder",
                "DPRPretrainedReader": "reader",
            },
            capabilities=("token-states",),
            tokenizer_classes=(
                *("DPRQuestionEncoderTokenizer", "DPRQuestionEncoderTokenizerFast"),
                *("DPRContextEncoderTokenizer", "DPRContextEncoderTokenizerFast"),
                *("DPRReaderTokenizer", "DPRReaderTokenizerFast", "BertTokenizer", "BertTokenizerFast"),
            ),
            summary="Encoders of questions and of passages, and a reader that finds the answer in a passage",
            paper="https://arxiv.org/abs/2004.04906",
        ),
        ArchitectureSpec(
            "rag",
            target="tfx_retrieval.rag:ARCHITECTURE",
            hf_classes={
                "RagModel": "backbone",
                "RagSequenceForGeneration": "rag-sequence",
                "RagTokenForGeneration": "rag-token",
            },
            tokenizer_classes=("RagTokenizer",),
            summary="Answers a question by the documents found for it: question encoder and generator, marginalised",
            paper="https://arxiv.org/abs/2005.11401",
        ),
    ]


@hookimpl
def tfx_indexes() -> list[IndexSpec]:
    """The kinds of index that FAISS searches, and Milvus."""
    return [
        IndexSpec("flat", target="tfx_retrieval.flat:KIND", summary="Exact search over every vector, with FAISS"),
        IndexSpec("hnsw", target="tfx_retrieval.kinds.hnsw:KIND", summary="A graph of neighbours: the fastest search"),
        IndexSpec(
            "ivf-disk", target="tfx_retrieval.kinds.ivf:ON_DISK", summary="Lists of alike vectors that stay on the disk"
        ),
        IndexSpec(
            "ivf-flat",
            target="tfx_retrieval.kinds.ivf:IN_MEMORY",
            summary="Lists of alike vectors in memory, a few looked at",
        ),
        IndexSpec("ivf-pq", target="tfx_retrieval.kinds.ivf_pq:KIND", summary="Such lists of codes, 1/20 of the size"),
        IndexSpec("milvus", target="tfx_retrieval.milvus:KIND", summary="Vectors in Milvus: a cluster, or a file"),
        IndexSpec("sq8", target="tfx_retrieval.kinds.scalar:KIND", summary="All vectors in 8 bits, 1/4 of the size"),
    ]


@hookimpl
def tfx_tasks() -> list[TaskSpec]:
    """What is done with an index and a model."""
    return [
        TaskSpec(
            "open-domain-question-answering",
            target="tfx_retrieval.open_domain:OpenDomainQuestionAnswering",
            heads=("reader", "question-answering"),
            yields_to=("question-answering",),
            summary="the answer to a question, out of the passages of an index that answer it best",
        ),
        TaskSpec(
            "retrieval-augmented-generation",
            target="tfx_retrieval.rag.task:RetrievalAugmentedGeneration",
            heads=("rag-token", "rag-sequence", "conditional-generation"),
            yields_to=("text2text-generation",),
            summary="a text that answers a question, written by all the passages that are found for it",
        ),
    ]


@hookimpl
def tfx_commands(cli: "click.Group") -> None:
    """``tfx-core index``."""
    from tfx_retrieval.change_commands import index
    from tfx_retrieval.evaluating import evaluate

    index.add_command(evaluate)
    cli.add_command(index)
