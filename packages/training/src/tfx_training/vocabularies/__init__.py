"""Tokenizers that are trained on a corpus and written as each family released its own."""

from typing import TYPE_CHECKING

from tfx_core.first_use import on_first_use

if TYPE_CHECKING:
    from tfx_training.vocabularies.training import train_tokenizer

__all__ = ["train_tokenizer"]

# the command beside it is listed without what trains
__getattr__, __dir__ = on_first_use(__name__, {"train_tokenizer": "training"}, __all__)
