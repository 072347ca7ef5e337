"""Tokenizers that are trained on a corpus and written as each family released its own."""
