"""Text to token ids and back, as each family of models was trained on it."""

from tfx_core.text.batch import Batch, CharSpan, TokenSpan
from tfx_core.text.languages import Direction, LanguageOption, Languages, Part
from tfx_core.text.lengths import UNLIMITED
from tfx_core.text.numbering import Numbered
from tfx_core.text.recipe import JSON, SPECIAL_ROLES, Recipe, Settings, TextFacts
from tfx_core.text.settings import GENERAL_OPTIONS, tokenizer_class
from tfx_core.text.tokenizer import Tokenizer
from tfx_core.text.tokenizer_reading import Family, family_of, read_tokenizer

__all__ = [
    "GENERAL_OPTIONS",
    "JSON",
    "SPECIAL_ROLES",
    "UNLIMITED",
    "Batch",
    "CharSpan",
    "Direction",
    "Family",
    "LanguageOption",
    "Languages",
    "Numbered",
    "Part",
    "Recipe",
    "Settings",
    "TextFacts",
    "TokenSpan",
    "Tokenizer",
    "family_of",
    "read_tokenizer",
    "tokenizer_class",
]
