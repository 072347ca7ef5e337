"""Decoders that see or remember what they must not, in one way each: the toy decoder with a part exchanged."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from tests.testing.faults import Fault
from tfx_core.nn import DecoderCache, SelfAttentionCache
from tfx_testing import ArchitectureCase, ArchitectureChecks, Checks, toy_decoder
from tfx_testing.toys import toys

REORDER, SELECT, KEEP = DecoderCache.reorder, SelfAttentionCache.select, DecoderCache.keep


def still(self: DecoderCache, rows: Tensor) -> None:
    """Does not reorder."""
    if len(rows) != self.batch:
        REORDER(self, rows)


def keys_alone(self: SelfAttentionCache, rows: Tensor) -> None:
    """Reorders keys and leaves values."""
    value = None if self._value is None else self._value.clone()
    SELECT(self, rows)
    if value is not None and len(value) == len(rows):
        self._value = value


def first_layer_alone(self: DecoderCache, rows: Tensor) -> None:
    """Reorders what the first layer remembers."""
    for layer in self.layers if len(rows) != self.batch else self.layers[:1]:
        layer.select(rows)
    self.real = None if self.real is None else self.real.select(rows)


def lengths_left(self: DecoderCache, rows: Tensor) -> None:
    """Leaves behind how long each row is."""
    for layer in self.layers:
        layer.select(rows)
    if self.real is not None and len(rows) != self.batch:
        self.real = self.real.select(rows)


def in_their_order(self: DecoderCache, sources: Tensor) -> None:
    """Keeps sources in the order that they had."""
    rows = torch.cat([torch.arange(self.rows_per_source) + each * self.rows_per_source for each in sources.sort()[0]])
    self._take(rows)


def one_too_many(self: DecoderCache, counts: Tensor, of: int) -> None:
    """Keeps a guessed token that did not come true."""
    KEEP(self, (counts + 1).clamp(max=of), of)


class AroundTheMean(nn.LayerNorm):
    """Looks at all tokens at once."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(-2, keepdim=True))


class BesideTheNext(nn.LayerNorm):
    """Looks at the next token."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + x.roll(-1, -2))


def broken(part: Any, name: str, replacement: Any) -> Callable[[], type[Checks]]:
    """Makes the checks of the toy decoder with this part exchanged while they run."""

    def checks() -> type[Checks]:
        class Broken(ArchitectureChecks):
            case = ArchitectureCase("toy-decoder", {"vocab_size": 53, "eos_token_id": None})

            @classmethod
            @contextmanager
            def surroundings(cls) -> Iterator[None]:
                with toys(), patch.object(part, name, replacement):
                    yield

        return Broken

    return checks


CROSS = "test_beams_that_cross_go_on_with_their_own_texts"
LEAK = "test_no_result_depends_on_a_later_token"
AFTER = r"logits of row \d of source \d after "
FAULTS = {
    "a cache does not reorder": Fault(broken(DecoderCache, "reorder", still), CROSS, AFTER + "reorder"),
    "a cache reorders no values": Fault(broken(SelfAttentionCache, "select", keys_alone), CROSS, AFTER + "reorder"),
    "a cache reorders one layer": Fault(broken(DecoderCache, "_take", first_layer_alone), CROSS, AFTER + "reorder"),
    "lengths are not reordered": Fault(broken(DecoderCache, "_take", lengths_left), CROSS, AFTER + "reorder"),
    "sources are left in order": Fault(broken(DecoderCache, "select", in_their_order), CROSS, AFTER + "select"),
    "a guess is kept": Fault(broken(DecoderCache, "keep", one_too_many), CROSS, AFTER + "reorder"),
    "a norm over tokens": Fault(
        broken(toy_decoder.nn, "LayerNorm", AroundTheMean), LEAK, r"at place 0 depends on token 1"
    ),
    "the next token is seen": Fault(
        broken(toy_decoder.nn, "LayerNorm", BesideTheNext), LEAK, r"at place 0 depends on token 1"
    ),
}
