"""Keyphrases: the phrases of a text whose vectors are nearest to the text's own (Bennani-Smires et al. 2018)."""

__version__ = "0.1.0"
