"""What holds of every tokenizer: a file for each subject, put together in `TokenizerChecks`."""

from tfx_testing.text.added_tokens import AddedTokenChecks
from tfx_testing.text.folders import FolderChecks
from tfx_testing.text.languages import LanguageChecks

__all__ = ["TokenizerChecks"]


class TokenizerChecks(FolderChecks, AddedTokenChecks, LanguageChecks):
    """Every check of an architecture's tokenizer, on small files such as its family released.

    A test class names the case, which has these files:

    >>> class TestLlamaTokenizer(TokenizerChecks):
    ...     case = ArchitectureCase("llama", tiny={…}, released=partial(byte_bpe, ["<s>", "</s>"], ["<pad>"]))

    ``written`` are keys of ``tokenizer_config.json`` that others wrote for the same files, by who did.
    """
