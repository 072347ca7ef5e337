"""Tables with a row for each id of a tokenizer."""

from tfx_core import Tokenizer


def rows_of_table(tokenizer: Tokenizer) -> int:
    """How many rows a table has in which every id of the tokenizer has its own.

    That is more than it has tokens where ids are left out, as in a ``tokenizer.json`` from which tokens were taken.
    """
    return max(len(tokenizer), 1 + max(tokenizer.get_vocab().values(), default=-1))
