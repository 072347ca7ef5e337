"""ALBERT's tokenizer: a SentencePiece model behind a cleaning of the text; ``tokenization.py`` of google-research."""

from tokenizers import AddedToken

from tfx_core.text import TextFacts
from tfx_core.text.recipes import cleaned_sentencepiece_recipe

RECIPE = cleaned_sentencepiece_recipe(
    TextFacts(
        tokenizer_class="AlbertTokenizer",
        special_tokens={
            "bos_token": "[CLS]",
            "eos_token": "[SEP]",
            "unk_token": "<unk>",
            "sep_token": "[SEP]",
            "pad_token": "<pad>",
            "cls_token": "[CLS]",
            "mask_token": AddedToken("[MASK]", lstrip=True, special=True, normalized=False),
        },
        model_input_names=("input_ids", "token_type_ids", "attention_mask"),
    ),
    single="cls_token $A sep_token",
    pair="cls_token $A sep_token $B:1 sep_token:1",
    lower_case=True,
)
