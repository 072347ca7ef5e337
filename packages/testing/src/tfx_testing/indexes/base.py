"""What the checks of an index stand on: its kind, and vectors to look for."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from tfx_core.embedding import RowNumbers, StoreKind, VectorKind, Vectors
from tfx_core.plugins import IndexSpec, registry
from tfx_testing.checks import Checks

COUNT, DIMENSION = 10_000, 64
NO_OPTION = "no_index_has_this_option"


class KindChecks(Checks):
    """Checks of one kind of index, which a test class names."""

    index: ClassVar[str]
    """Its name."""

    @classmethod
    def is_declared(cls) -> bool:
        """With the name of a kind; raises as the registry does where there is none."""
        if not hasattr(cls, "index"):
            return False
        registry.find(IndexSpec, cls.index)
        return True

    @classmethod
    def kind(cls) -> VectorKind | StoreKind:
        """The kind itself."""
        found: VectorKind | StoreKind = registry.load(IndexSpec, cls.index)  # type: ignore[assignment]  # is checked
        return found


def retrieval() -> Any:
    """The package ``tfx_retrieval``; a check that needs it fails with the cure where it is not installed."""
    if find_spec("tfx_retrieval") is None:
        pytest.fail("this check builds a whole index, which needs tfx-retrieval: python -m pip install tfx-retrieval")
    return import_module("tfx_retrieval")


@cache
def clustered(count: int = COUNT) -> tuple[Vectors, Vectors]:
    """Vectors of length one around some hundred centres, and queries close to some of them."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((100, DIMENSION))
    vectors = centres[random.integers(100, size=count)] + random.standard_normal((count, DIMENSION))
    queries = vectors[:: max(1, count // 100)] + random.standard_normal(vectors[:: max(1, count // 100)].shape)
    return of_length_one(vectors), of_length_one(queries)


def of_length_one(vectors: NDArray[np.float64]) -> Vectors:
    """The vectors, scaled."""
    scaled: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def of_many_lengths() -> tuple[Vectors, Vectors]:
    """Such as DPR gives, whose lengths vary by a tenth."""
    vectors, queries = clustered()
    return vectors * np.random.default_rng(1).normal(10, 1, (COUNT, 1)).astype(np.float32), queries


def best(queries: Vectors, vectors: Vectors, k: int = 10) -> RowNumbers:
    """The exact answer."""
    return np.argsort(-(queries.astype(np.float64) @ vectors.T.astype(np.float64)), axis=1, kind="stable")[:, :k]


def recall_of(found: RowNumbers, exact: RowNumbers) -> float:
    """How much of the exact answer was found."""
    return float(np.mean([len({*a} & {*b}) / len(b) for a, b in zip(found.tolist(), exact.tolist(), strict=True)]))
