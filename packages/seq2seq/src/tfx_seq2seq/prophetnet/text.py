"""ProphetNet's tokenizer: BERT's word pieces in a file of another name, with ``[SEP]`` behind each text."""

from collections.abc import Mapping
from dataclasses import replace

from tokenizers import AddedToken

from tfx_core.text import Settings, TextFacts
from tfx_core.text.recipes import wordpiece_recipe


def with_sentence_separator(settings: Settings) -> Settings:
    """The settings with a role for the token between the sentences of a summary, where the vocabulary has it.

    Raises `TextError` for what is no token.
    """
    role = "x_sep_token"
    stated = settings.values[role]
    if stated is None:
        return settings
    text = str(stated["content"]) if isinstance(stated, Mapping) and "content" in stated else settings.text(role)
    token = AddedToken(text, special=True, normalized=False)
    return replace(settings, special_tokens={**settings.special_tokens, role: token})


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
