"""GPT's tokenizer: BPE of lower-cased words, with no special token but the unknown one."""

from tokenizers import normalizers, pre_tokenizers

from tfx_core.text import Settings, TextFacts
from tfx_core.text.recipes import Steps, word_bpe_recipe


def cleaning(settings: Settings) -> Steps:
    """Small letters without accents, ideographs apart."""
    return [normalizers.BertNormalizer(lowercase=True)]


def words(settings: Settings) -> Steps:
    """Words and punctuation marks."""
    return [pre_tokenizers.BertPreTokenizer()]


RECIPE = word_bpe_recipe(
    TextFacts(tokenizer_class="OpenAIGPTTokenizer", special_tokens={"unk_token": "<unk>"}),
    single="$A",
    pair="$A $B:1",
    clean=cleaning,
    split=words,
)
