"""Longformer's tokenizer: RoBERTa's byte-level BPE."""

from tfx_core.text import TextFacts
from tfx_core.text.recipes import FAIRSEQ_TOKENS, byte_bpe_recipe

RECIPE = byte_bpe_recipe(TextFacts("LongformerTokenizer", FAIRSEQ_TOKENS), enclosed=True)
