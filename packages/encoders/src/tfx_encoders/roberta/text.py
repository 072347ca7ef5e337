"""RoBERTa's tokenizer: byte-level BPE around which special tokens stand."""

from tfx_core.text import TextFacts
from tfx_core.text.recipes import FAIRSEQ_TOKENS, byte_bpe_recipe

RECIPE = byte_bpe_recipe(TextFacts("RobertaTokenizer", FAIRSEQ_TOKENS), enclosed=True)
