"""Tokenizers that are trained on a corpus and written as each family released its own."""

from tfx_training.vocabularies.training import train_tokenizer

__all__ = ["train_tokenizer"]
