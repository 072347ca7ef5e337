"""What is sound passes: the core's own kernels and patterns, a head, the toys."""

from tfx_testing import AttentionChecks, PluginChecks


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
