"""What is sound passes: the core's own kernels and patterns, a head, the toys."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import tfx_core
from tests.core.tasks import crf
from tfx_testing import ArchitectureCase, ArchitectureChecks, AttentionChecks, HeadChecks, PluginChecks
from tfx_testing.attentions import CASE
from tfx_testing.toys import toys


class Toys(ArchitectureChecks):
    """With the toys, which nothing installs."""

    @classmethod
    @contextmanager
    def surroundings(cls) -> Iterator[None]:
        with toys():
            yield


class TestToyDecoder(Toys):
    case = CASE


class TestToy(Toys):
    case = ArchitectureCase("toy", {"vocab_size": 40, "hidden_size": 24, "max_position_embeddings": 40})


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
