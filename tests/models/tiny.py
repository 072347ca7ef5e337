"""Tiny models of our architectures, by their names; see `tfx_testing.tiny`."""

from typing import Any

from torch import Tensor

from tests.cases import case_of
from tfx_testing import tiny
from tfx_testing.cases import Inputs
from tfx_testing.tiny import each_stream, perturbed, texts_differ

__all__ = ["each_stream", "perturbed", "random_ids", "target_ids", "texts_differ", "tiny_config"]


def tiny_config(model_type: str) -> dict[str, Any]:
    """Keys of its ``config.json``: small sizes, no dropout."""
    return dict(case_of(model_type).tiny)


def random_ids(model_type: str, rows: int, length: int, seed: int = 0) -> Tensor:
    """Token ids ``(rows, length)`` without the smallest, which are often special."""
    return tiny.random_ids(case_of(model_type), rows, length, seed)


def target_ids(model_type: str, head: str, rows: int) -> Inputs:
    """What the decoder of an encoder-decoder reads, where the head does not take the source for it."""
    return tiny.target_ids(case_of(model_type), head, rows)
