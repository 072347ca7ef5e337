"""DPR's tokenizers: BERT's word pieces under three names."""

from tfx_core.text import TextFacts
from tfx_core.text.recipes import wordpiece_recipe

RECIPE = wordpiece_recipe(
    TextFacts(
        tokenizer_class="DPRQuestionEncoderTokenizer",
        special_tokens={
            "unk_token": "[UNK]",
            "sep_token": "[SEP]",
            "pad_token": "[PAD]",
            "cls_token": "[CLS]",
            "mask_token": "[MASK]",
        },
        model_input_names=("input_ids", "token_type_ids", "attention_mask"),
    )
)
