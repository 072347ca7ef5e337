"""Special tokens around a text or a pair, written with roles in place of tokens."""

from tokenizers import Tokenizer, processors

from tfx_core.errors import TextError, shown
from tfx_core.text.added_tokens import register
from tfx_core.text.recipe import Settings


def template(
    single: str, pair: str, tokenizer: Tokenizer, settings: Settings, **tokens: str
) -> processors.TemplateProcessing:
    """Templates of the tokenizers library in which a role stands for its token: ``"$A sep_token cls_token:2"``.

    ``tokens`` of the vocabulary without a role are written by the names that they have here. Raises `TextError` where
    a role has no token, or its token no id.
    """
    special: dict[str, tuple[str, int]] = {}

    def filled(text: str) -> list[str]:
        words = []
        for word in text.split():
            role, _, kind = word.partition(":")
            if not role.startswith("$"):
                token = tokens[role] if role in tokens else settings.special(role)
                # A token that itself looks like a part of a template goes by the name of its role.
                name = role if token.startswith("$") or ":" in token else token
                number = tokenizer.token_to_id(token) if role in tokens else special_id(role, tokenizer, settings)
                special[name] = token, number
                word = f"{name}:{kind or 0}"
            words.append(word)
        return words

    parts = {"single": filled(single), "pair": filled(pair)}
    listed = [{"id": name, "ids": [number], "tokens": [token]} for name, (token, number) in special.items()]
    return processors.TemplateProcessing(**parts, special_tokens=listed)


def special_id(role: str, tokenizer: Tokenizer, settings: Settings) -> int:
    """The id of the token with a role; one that the settings declare and the vocabulary lacks is added to it.

    Raises `TextError` where the role has no token, or its token no id.
    """
    token = settings.special(role)
    number = tokenizer.token_to_id(token)
    if number is None:
        register(tokenizer, settings)
        number = tokenizer.token_to_id(token)
    if number is None:
        raise TextError(
            f"{settings.label}: {role} is {shown(token)}, which the vocabulary lacks; name the token of this role there"
        )
    return int(number)
