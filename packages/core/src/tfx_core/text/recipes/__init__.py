"""Recipes: what reads each kind of released tokenizer files, and the parts to write another of; no family's facts."""

from tfx_core.text.python_steps import Steps, python_steps, set_apart, set_steps
from tfx_core.text.recipes.byte_bpe import byte_bpe_recipe
from tfx_core.text.recipes.charsmap import character_class, literal_pattern
from tfx_core.text.recipes.cleaned import cleaned_sentencepiece_recipe
from tfx_core.text.recipes.fairseq import FAIRSEQ_TOKENS, fairseq_order
from tfx_core.text.recipes.moses import BLANKS, OUTER_BLANKS
from tfx_core.text.recipes.moses import ENGLISH as MOSES_ENGLISH
from tfx_core.text.recipes.moses import Language as MosesLanguage
from tfx_core.text.recipes.moses import as_normalizers as replacements
from tfx_core.text.recipes.moses import corpus_steps as moses_corpus_steps
from tfx_core.text.recipes.moses import word_steps as moses_word_steps
from tfx_core.text.recipes.sentencepiece import SPACE, sentencepiece_recipe, sentencepiece_tokenizer
from tfx_core.text.recipes.template import special_id, template
from tfx_core.text.recipes.word_bpe import word_bpe_recipe
from tfx_core.text.recipes.wordpiece import wordpiece_recipe
from tfx_core.text.recipes.words import words_recipe
from tfx_core.text.sentencepiece_model import Piece, PieceKind, SentencePieceModel, read_sentencepiece
from tfx_core.text.vocabulary_files import read_merges, read_vocabulary_lines, read_vocabulary_object

__all__ = [
    "BLANKS",
    "FAIRSEQ_TOKENS",
    "MOSES_ENGLISH",
    "OUTER_BLANKS",
    "SPACE",
    "MosesLanguage",
    "Piece",
    "PieceKind",
    "SentencePieceModel",
    "Steps",
    "byte_bpe_recipe",
    "character_class",
    "cleaned_sentencepiece_recipe",
    "fairseq_order",
    "literal_pattern",
    "moses_corpus_steps",
    "moses_word_steps",
    "python_steps",
    "read_merges",
    "read_sentencepiece",
    "read_vocabulary_lines",
    "read_vocabulary_object",
    "replacements",
    "sentencepiece_recipe",
    "sentencepiece_tokenizer",
    "set_apart",
    "set_steps",
    "special_id",
    "template",
    "word_bpe_recipe",
    "wordpiece_recipe",
    "words_recipe",
]
