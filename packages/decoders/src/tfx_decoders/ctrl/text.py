"""CTRL's tokenizer: BPE of words as they are written, a line's end among the letters of the word before it.

Keskar et al. 2019, https://arxiv.org/abs/1909.05858. A text begins with a control code, which is a token like others.

Two things differ from the reference on purpose. The released merges have lines with U+00A0, which to fastBPE, that made
them, is a letter; words as they are found here have none, so that these lines do nothing. The reference takes it for a
blank between columns and joins what is left: of *kilometers*, a token, it makes *kil@@ ometers*. And ours gives no
token types: the reference's are 0 for every token of a text, for which the model adds the vector of token 0 to each,
which no released model was trained with.
"""

from tokenizers import Regex, pre_tokenizers

from tfx_core.text import Settings, TextFacts
from tfx_core.text.recipes import Steps, word_bpe_recipe

_CODES = (
    "Pregnancy Christianity Explain Fitness Saving Ask Ass Joke Questions Thoughts Retail Feminism Writing "
    "Atheism Netflix Computing Opinion Alone Funny Gaming Human India Joker Diet Legal Norman Tip Weight "
    "Movies Running Science Horror Confession Finance Politics Scary Support Technologies Teenage Event "
    "Learned Notion Wikipedia Books Extract Confessions Conspiracy Links Narcissus Relationship Relationships "
    "Reviews News Translation multilingual"
)
CONTROL_CODES = tuple(_CODES.split())
"""Domains, styles and tasks of the texts that the released models learned from (appendix A of the paper)."""


def _no_cleaning(settings: Settings) -> Steps:
    return []


def _words(settings: Settings) -> Steps:
    return [pre_tokenizers.Split(Regex(r"\S+\n?"), behavior="removed", invert=True)]


RECIPE = word_bpe_recipe(
    TextFacts(tokenizer_class="CTRLTokenizer", special_tokens={"unk_token": "<unk>"}, control_codes=CONTROL_CODES),
    single="$A",
    pair="$A $B:1",
    clean=_no_cleaning,
    split=_words,
    continued="@@",
)
