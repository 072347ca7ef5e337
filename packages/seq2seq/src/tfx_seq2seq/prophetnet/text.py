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
    stated = settings.values["x_sep_token"]
    if stated is None:
        return settings
    text = stated.get("content") if isinstance(stated, Mapping) else settings.text("x_sep_token")
    token = AddedToken(str(text), special=True, normalized=False)
    # under a name that no file declares: the reference writes the key whether or not the vocabulary has the token
    return replace(settings, special_tokens={**settings.special_tokens, "sentence_separator": token})


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
