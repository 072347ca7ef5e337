"""What holds of a kind of passage index: of one kept in files, or of a service that keeps passages itself."""

from typing import Any

from tfx_core.embedding import StoreKind, VectorKind
from tfx_core.plugins import IndexSpec, registry
from tfx_testing.indexes.base import KindChecks
from tfx_testing.indexes.stores import StoreChecks
from tfx_testing.indexes.vectors import VectorChecks

__all__ = ["IndexChecks"]


class IndexChecks(VectorChecks, StoreChecks):
    """Every check of a kind of index: a test class names it, and says where it differs from an exact one.

    >>> class TestClusters(IndexChecks):
    ...     index = "clusters"
    ...     recall = 0.9
    ...     whole = {"probes": "1000"}
    """

    @classmethod
    def is_of_this(cls, check: Any) -> bool:
        """What is checked of every kind, and of this one's sort."""
        sort: type[KindChecks] = VectorChecks if isinstance(cls.kind(), VectorKind) else StoreChecks
        return check.__name__ in vars(sort) or check.__name__ in vars(IndexChecks)

    def test_it_says_what_it_is(self) -> None:
        """Its spec has a summary, its target is a kind, and the class of it has a docstring.

        Where it does not: ``IndexSpec(summary=…)``; ``target=`` names an object, such as ``KIND = MyKind()``.
        """
        spec, kind = registry.find(IndexSpec, self.index), registry.load(IndexSpec, self.index)
        assert isinstance(kind, VectorKind | StoreKind), (
            f"{spec.target} is {kind!r}: neither a VectorKind nor a StoreKind"
        )
        assert spec.summary, f"index {self.index!r} has no summary in its spec"
        assert vars(type(kind)).get("__doc__"), f"{type(kind).__name__} has no docstring"
