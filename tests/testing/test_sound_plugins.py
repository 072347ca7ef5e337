"""What is sound passes: the core's own kernels and patterns, a head, the toys."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import tfx_core
from tests.core.tasks import crf
from tests.testing.faults import parities, tokenizers
from tfx_testing import ArchitectureCase, ArchitectureChecks, AttentionChecks, HeadChecks, PluginChecks
from tfx_testing.toys import toys


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


class TestToyDecoder(ArchitectureChecks):
    case = ArchitectureCase(
        "toy-decoder",
        tiny={"vocab_size": 53, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4},
    )

    @classmethod
    @contextmanager
    def surroundings(cls) -> Iterator[None]:
        with toys(), super().surroundings():
            yield


class TestEncoders(PluginChecks):
    distribution = "tfx-encoders"
    exceptions: ClassVar = {"test_it_imports_what_is_promised": "it is released together with the core"}


class TestCRF(HeadChecks):
    head = "crf"
    exceptions: ClassVar = {
        "test_it_says_what_it_is": "a toy is for no list of what is installed",
        "test_every_parameter_gets_a_gradient": "its logits are one label for each token, and it has no loss",
        "test_autocast_computes_and_teaches_the_same": "the same",
        "test_a_text_is_the_same_alone_and_in_a_batch_in_any_type": "a label is the same one or another, but not near",
    }

    @classmethod
    @contextmanager
    def surroundings(cls) -> Iterator[None]:
        with tfx_core.register(crf.Plugin(), name="crf"), super().surroundings():
            yield


TestParity = parities.checks_of(parities.Reference)()
TestParity.__name__ = "TestParity"

TestTokenizer = tokenizers.checks_of("sound")()
TestTokenizer.__name__ = "TestTokenizer"
