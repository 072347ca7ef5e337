"""What tfx-retrieval provides, as light as a plugin must be: neither torch nor FAISS is imported here."""

from typing import TYPE_CHECKING

from tfx_core import IndexSpec, hookimpl

if TYPE_CHECKING:
    import click

TFX_API = 1


@hookimpl
def tfx_indexes() -> list[IndexSpec]:
    """The flat FAISS index, and Milvus."""
    return [
        IndexSpec("flat", target="tfx_retrieval.flat:KIND", summary="Exact search over every vector, with FAISS"),
        IndexSpec("milvus", target="tfx_retrieval.milvus:KIND", summary="Vectors in Milvus: a cluster, or a file"),
    ]


@hookimpl
def tfx_commands(cli: "click.Group") -> None:
    """``tfx-core index``."""
    from tfx_retrieval.change_commands import index
    from tfx_retrieval.evaluating import evaluate

    index.add_command(evaluate)
    cli.add_command(index)
