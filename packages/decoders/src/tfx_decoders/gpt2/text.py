"""GPT-2's tokenizer: byte-level BPE with one special token, which it puts nowhere."""

from tfx_core.text import TextFacts
from tfx_core.text.recipes import byte_bpe_recipe

RECIPE = byte_bpe_recipe(
    TextFacts(
        tokenizer_class="GPT2Tokenizer",
        special_tokens=dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>"),
    )
)
