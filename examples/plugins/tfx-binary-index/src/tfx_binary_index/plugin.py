"""What tfx-binary-index provides: ``tfx-core index build --index binary``."""

from tfx_core import IndexSpec, hookimpl

TFX_API = 1


@hookimpl
def tfx_indexes() -> list[IndexSpec]:
    """One kind of index; passages, checksums, changes, filters and commands come with tfx-retrieval."""
    return [
        IndexSpec(
            "binary",
            target="tfx_binary_index.kind:KIND",
            summary="A bit for each number, compared first; the best of them again by what is kept in 8 bits",
        )
    ]
