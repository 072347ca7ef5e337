"""BART's tokenizer: the vocabulary and form of RoBERTa."""

from tokenizers import AddedToken

from tfx_core.text import TextFacts
from tfx_core.text.recipes import byte_bpe_recipe

RECIPE = byte_bpe_recipe(
    TextFacts(
        tokenizer_class="BartTokenizer",
        special_tokens={
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "sep_token": "</s>",
            "pad_token": "<pad>",
            "cls_token": "<s>",
            "mask_token": AddedToken("<mask>", lstrip=True, special=True, normalized=False),
        },
    ),
    enclosed=True,
)
