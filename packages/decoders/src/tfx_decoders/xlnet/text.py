"""XLNet's tokenizer: a SentencePiece model behind a cleaning of the text; ``prepro_utils.py`` of zihangdai/xlnet."""

from tokenizers import AddedToken

from tfx_core.text import TextFacts
from tfx_core.text.recipes import cleaned_sentencepiece_recipe

RECIPE = cleaned_sentencepiece_recipe(
    TextFacts(
        tokenizer_class="XLNetTokenizer",
        special_tokens={
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "sep_token": "<sep>",
            "pad_token": "<pad>",
            "cls_token": "<cls>",
            "mask_token": AddedToken("<mask>", lstrip=True, special=True, normalized=False),
        },
        additional_special_tokens=("<eop>", "<eod>"),
        model_input_names=("input_ids", "token_type_ids", "attention_mask"),
        padding_side="left",
        pad_token_type_id=3,
        question_first=False,
    ),
    single="$A sep_token cls_token:2",
    pair="$A sep_token $B:1 sep_token:1 cls_token:2",
    lower_case=False,
)
