"""What is sound passes: the core's own kernels and patterns, a head, the toys."""

from tests.testing.faults import heads, parities, stores, tokenizers
from tfx_testing import ArchitectureCase, ArchitectureChecks, AttentionChecks
from tfx_testing.toys import ToyChecks


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


class TestToyDecoder(ToyChecks, ArchitectureChecks):
    case = ArchitectureCase(
        "toy-decoder",
        tiny={"vocab_size": 53, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4},
    )


TestTagger = heads.SOUND()
TestTagger.__name__ = "TestTagger"

TestParity = parities.checks_of(parities.Reference)()
TestParity.__name__ = "TestParity"

TestTokenizer = tokenizers.checks_of("sound")()
TestTokenizer.__name__ = "TestTokenizer"

TestStore = stores.SOUND()
TestStore.__name__ = "TestStore"
