"""Reformer's tokenizer: a SentencePiece model (BPE, of 320 pieces) that adds nothing to a text.

The model of bytes that was released beside it (enwik8) has no tokenizer: its ids are the bytes of UTF-8, each plus 2.
"""

from tfx_core.text import TextFacts
from tfx_core.text.recipes import sentencepiece_recipe

RECIPE = sentencepiece_recipe(
    TextFacts(tokenizer_class="ReformerTokenizer", special_tokens={"eos_token": "</s>", "unk_token": "<unk>"}),
    single="$A",
    pair="$A $B",
)
