"""What tfx-retrieval provides, as light as a plugin must be: neither torch nor FAISS is imported here."""

from typing import TYPE_CHECKING

from tfx_core import ArchitectureSpec, IndexSpec, TaskSpec, hookimpl

if TYPE_CHECKING:
    import click

TFX_API = 1


@hookimpl
def tfx_architectures() -> list[ArchitectureSpec]:
    """What is made of encoders and writers of others."""
    return [
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
    """The flat FAISS index."""
    return [IndexSpec("flat", target="tfx_retrieval.flat:KIND", summary="Exact search over every vector, with FAISS")]


@hookimpl
def tfx_tasks() -> list[TaskSpec]:
    """Texts written by what is found."""
    return [
        TaskSpec(
            "retrieval-augmented-generation",
            target="tfx_retrieval.rag.task:RetrievalAugmentedGeneration",
            heads=("rag-token", "rag-sequence", "conditional-generation"),
            yields_to=("text2text-generation",),
            summary="a text that answers a question, written by all the passages that are found for it",
        )
    ]


@hookimpl
def tfx_commands(cli: "click.Group") -> None:
    """``tfx-core index build`` and ``tfx-core index search``."""
    from tfx_retrieval.commands import index

    cli.add_command(index)
