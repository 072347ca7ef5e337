"""Text to token ids and back, as each family of models was trained on it."""

from tfx_core.text.batch import Batch, CharSpan, TokenSpan
from tfx_core.text.loading import family_of, load_tokenizer
from tfx_core.text.recipe import JSON, SPECIAL_ROLES, Recipe, Settings, TextFacts
from tfx_core.text.settings import GENERAL_OPTIONS, UNLIMITED, tokenizer_class
from tfx_core.text.tokenizer import Tokenizer
from tfx_core.text.wordpiece import WordPiece

__all__ = [
    "GENERAL_OPTIONS",
    "JSON",
    "SPECIAL_ROLES",
    "UNLIMITED",
    "Batch",
    "CharSpan",
    "Recipe",
    "Settings",
    "TextFacts",
    "TokenSpan",
    "Tokenizer",
    "WordPiece",
    "family_of",
    "load_tokenizer",
    "tokenizer_class",
]
