"""Recipes: what reads each kind of released tokenizer files, and the parts to write another of; no family's facts."""

from tfx_core.text.recipes.byte_bpe import byte_bpe_recipe
from tfx_core.text.recipes.cleaned import cleaned_sentencepiece_recipe
from tfx_core.text.recipes.fairseq import FAIRSEQ_TOKENS, fairseq_order
from tfx_core.text.recipes.sentencepiece import sentencepiece_recipe
from tfx_core.text.recipes.template import special_id, template
from tfx_core.text.recipes.wordpiece import wordpiece_recipe
from tfx_core.text.recipes.words import words_recipe
from tfx_core.text.sentencepiece_model import Piece, PieceKind
from tfx_core.text.vocabulary_files import read_merges, read_vocabulary_lines, read_vocabulary_object

__all__ = [
    "FAIRSEQ_TOKENS",
    "Piece",
    "PieceKind",
    "byte_bpe_recipe",
    "cleaned_sentencepiece_recipe",
    "fairseq_order",
    "read_merges",
    "read_vocabulary_lines",
    "read_vocabulary_object",
    "sentencepiece_recipe",
    "special_id",
    "template",
    "wordpiece_recipe",
    "words_recipe",
]
