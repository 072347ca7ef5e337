"""FlauBERT's tokenizer: XLM's, for French: Le et al. 2020, https://arxiv.org/abs/1912.05372."""

from dataclasses import replace

from tokenizers import normalizers

from tfx_core.text import Settings
from tfx_core.text.recipes import Steps, moses_corpus_steps, moses_word_steps, replacements, word_bpe_recipe
from tfx_encoders.xlm.languages import language
from tfx_encoders.xlm.text import FACTS, OPTIONS, PAIR, SINGLE, numbering_languages


def splitting(settings: Settings) -> Steps:
    """What sets French words apart by blanks."""
    french = language("fr")
    quotes = replacements([("``|''", '"')])
    small = [normalizers.Lowercase()] if settings.flag("do_lowercase") else []
    words = replacements([*moses_corpus_steps(french), *moses_word_steps(french)])
    return [*quotes, normalizers.NFC(), *small, *words]


RECIPE = word_bpe_recipe(
    replace(FACTS, tokenizer_class="FlaubertTokenizer"),
    single=SINGLE,
    pair=PAIR,
    clean=splitting,
    options={"do_lowercase": False, **OPTIONS},
    complete=numbering_languages,
)
