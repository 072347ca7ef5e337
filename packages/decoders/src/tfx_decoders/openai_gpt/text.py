"""GPT's tokenizer: BPE of lower-cased words, with no special token but the unknown one.

There are two rules for what a word is. The corpus was mended by ftfy and cut by spaCy (*don't* as *do n't*, *mr.* as
one word, accents kept, the end of a line a word of its own), and the reference's slow tokenizer does the same where it
finds both packages installed. Where it does not, and in its fast tokenizer and the released ``tokenizer.json``, words
are BERT's (*don ' t*, *mr .*, no accents). We follow the second rule: so the ids of a text do not depend on what else
is installed, and are those that nearly all who use the model get. The option ``corpus_words`` asks for the first, with
``tfx-decoders[segmenters]``.
"""

from tokenizers import normalizers, pre_tokenizers

from tfx_core.text import Settings, TextFacts
from tfx_core.text.recipes import Steps, word_bpe_recipe
from tfx_decoders.openai_gpt import corpus_words


def cleaning(settings: Settings) -> Steps:
    """Small letters without accents, ideographs apart; or as in the corpus."""
    if settings.flag("corpus_words"):
        return corpus_words.cleaning(settings.label)
    return [normalizers.BertNormalizer(lowercase=True)]


def words(settings: Settings) -> Steps:
    """Words and punctuation marks."""
    return corpus_words.words() if settings.flag("corpus_words") else [pre_tokenizers.BertPreTokenizer()]


RECIPE = word_bpe_recipe(
    TextFacts(tokenizer_class="OpenAIGPTTokenizer", special_tokens={"unk_token": "<unk>"}),
    single="$A",
    pair="$A $B:1",
    clean=cleaning,
    split=words,
    options={"corpus_words": False},
)
