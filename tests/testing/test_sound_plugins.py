"""What is sound passes: the core's own kernels and patterns, a head, the toys."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import tfx_core
from tests.core.tasks import crf
from tfx_testing import AttentionChecks, HeadChecks, PluginChecks


class TestEager(AttentionChecks):
    attention = "eager"
    same_as = "sdpa"


class TestSdpa(AttentionChecks):
    attention = "sdpa"
    same_as = "eager"


class TestWindow(AttentionChecks):
    attention = "window(2, 1)"


class TestGlobal(AttentionChecks):
    attention = "global(2, 1, first=2)"


class TestChunks(AttentionChecks):
    attention = "chunks(3, after=1)"


class TestEncoders(PluginChecks):
    distribution = "tfx-encoders"


class TestCRF(HeadChecks):
    head = "crf"
    exceptions: ClassVar = {"test_it_says_what_it_is": "a toy is for no list of what is installed"}

    @classmethod
    @contextmanager
    def surroundings(cls) -> Iterator[None]:
        with tfx_core.register(crf.Plugin(), name="crf"), super().surroundings():
            yield
