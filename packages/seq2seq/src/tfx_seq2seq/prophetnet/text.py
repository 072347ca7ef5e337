"""ProphetNet's tokenizer: BERT's word pieces in a file of another name, with ``[SEP]`` behind each text."""

from collections.abc import Mapping
from dataclasses import replace

from tokenizers import AddedToken

from tfx_core.text import Settings, TextFacts
from tfx_core.text.recipes import wordpiece_recipe


def with_sentence_separator(settings: Settings) -> Settings:
    """The settings with the token between the sentences of a summary, ``x_sep_token``, among the special ones."""
    value, others = settings.values["x_sep_token"], settings.additional_special_tokens
    token = value.get("content") if isinstance(value, Mapping) else value
    if not isinstance(token, str) or token in {each.content for each in others}:
        return settings
    separator = AddedToken(token, special=True, normalized=False)
    return replace(settings, additional_special_tokens=(*others, separator))


RECIPE = replace(
    wordpiece_recipe(
        TextFacts(
            tokenizer_class="ProphetNetTokenizer",
            special_tokens={"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]"},
            clean_up_tokenization=True,
        ),
        "prophetnet.tokenizer",
        single="$A sep_token",
        pair="$A sep_token $B:1 sep_token:1",
        options={"x_sep_token": "[X_SEP]"},
    ),
    complete=with_sentence_separator,
)
