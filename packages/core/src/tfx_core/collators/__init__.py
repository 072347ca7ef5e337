"""From tokenized rows to a batch to learn from: each collator is the ``collate_fn`` of a data loader."""

from tfx_core.collators.masking import MaskedTokens
from tfx_core.collators.padding import NextTokens, Padding

__all__ = ["MaskedTokens", "NextTokens", "Padding"]
