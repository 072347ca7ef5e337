"""CTRL's tokenizer: BPE of words as they are written, a line's end among the letters of the word before it.

It gives no token types, unlike the reference's: there every token of a first text gets the type 0, for which the model
adds the vector of token 0, which no released model was trained with.
"""

from tokenizers import Regex, pre_tokenizers

from tfx_core.text import Settings, TextFacts
from tfx_core.text.recipes import Steps, word_bpe_recipe


def _no_cleaning(settings: Settings) -> Steps:
    return []


def _words(settings: Settings) -> Steps:
    return [pre_tokenizers.Split(Regex(r"\S+\n?"), behavior="removed", invert=True)]


RECIPE = word_bpe_recipe(
    TextFacts(tokenizer_class="CTRLTokenizer", special_tokens={"unk_token": "<unk>"}),
    single="$A",
    pair="$A $B:1",
    clean=_no_cleaning,
    split=_words,
    continued="@@",
)
