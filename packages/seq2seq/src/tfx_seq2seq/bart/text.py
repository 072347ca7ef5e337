"""BART's tokenizer: the vocabulary and form of RoBERTa."""

from tfx_core.text import TextFacts
from tfx_core.text.recipes import FAIRSEQ_TOKENS, byte_bpe_recipe

RECIPE = byte_bpe_recipe(TextFacts("BartTokenizer", FAIRSEQ_TOKENS), enclosed=True)
