"""Transformer-XL's tokenizer: whole words, split as those of WikiText-103 are."""

from tfx_core.text import TextFacts
from tfx_core.text.recipes import words_recipe

RECIPE = words_recipe(
    TextFacts(
        tokenizer_class="TransfoXLTokenizer",
        special_tokens={"eos_token": "<eos>", "unk_token": "<unk>"},
        additional_special_tokens=("<formula>",),
    )
)
