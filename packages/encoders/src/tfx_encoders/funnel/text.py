"""Funnel's tokenizer: BERT's word pieces with special tokens of its own, of which the first has a type of its own."""

from tfx_core.text import TextFacts
from tfx_core.text.recipes import wordpiece_recipe

RECIPE = wordpiece_recipe(
    TextFacts(
        tokenizer_class="FunnelTokenizer",
        special_tokens={
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "sep_token": "<sep>",
            "pad_token": "<pad>",
            "cls_token": "<cls>",
            "mask_token": "<mask>",
        },
        model_input_names=("input_ids", "token_type_ids", "attention_mask"),
    ),
    single="cls_token:2 $A sep_token",
    pair="cls_token:2 $A sep_token $B:1 sep_token:1",
)
