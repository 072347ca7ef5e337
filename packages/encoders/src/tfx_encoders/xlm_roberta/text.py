"""XLM-RoBERTa's tokenizer: a SentencePiece model whose pieces have fairseq's ids."""

from tfx_core.text import TextFacts
from tfx_core.text.recipes import FAIRSEQ_TOKENS, fairseq_order, sentencepiece_recipe

RECIPE = sentencepiece_recipe(
    TextFacts("XLMRobertaTokenizer", FAIRSEQ_TOKENS),
    single="cls_token $A sep_token",
    pair="cls_token $A sep_token sep_token $B sep_token",
    model_file="sentencepiece.bpe.model",
    arrange=fairseq_order,
)
