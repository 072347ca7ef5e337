"""BERT's word pieces, which other families use as well."""

from tfx_core.text import Recipe, TextFacts
from tfx_core.text.recipes import wordpiece_recipe


def word_piece_recipe(tokenizer_class: str, *, token_types: bool = True) -> Recipe:
    """The recipe of BERT's files and special tokens under this class, for models with token types or without."""
    return wordpiece_recipe(
        TextFacts(
            tokenizer_class=tokenizer_class,
            special_tokens={
                "unk_token": "[UNK]",
                "sep_token": "[SEP]",
                "pad_token": "[PAD]",
                "cls_token": "[CLS]",
                "mask_token": "[MASK]",
            },
            model_input_names=("input_ids", *(("token_type_ids",) if token_types else ()), "attention_mask"),
        )
    )
