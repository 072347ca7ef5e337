"""Tokens that are added to a vocabulary: which ids they get, and how they are found in a text.

The `tokenizers` library looks for them in two passes: for those without ``normalized`` in the text as it stands, then
for the others in what the normalizer makes of the rest. There it looks for what the normalizer makes of the token. That
can be too little or too much: where a model's texts begin with a blank, a token is found at the beginning alone, and
where accents are taken away, every "e" is the token "é". So here a token has ``normalized`` only where its own form is
the normal one, up to case. All others are found where they stand as they are written.
"""

from collections.abc import Iterable, Sequence

from tokenizers import AddedToken, Tokenizer, models
from tokenizers.normalizers import Normalizer

from tfx_core.text.python_steps import python_steps, remember_steps
from tfx_core.text.recipe import Settings

_AROUND = "a1. a"
"""What stands beside a token when a normalizer is asked whether its work depends on that."""


def token_flags(token: AddedToken) -> dict[str, bool]:
    """How a token is found in a text, as keywords of `AddedToken`."""
    return {flag: getattr(token, flag) for flag in ("lstrip", "rstrip", "single_word", "normalized", "special")}


def new_tokens(tokens: Iterable[str | AddedToken], special: bool) -> list[AddedToken]:
    """The tokens, with the flags that the library gives them where they state none."""
    scratch = Tokenizer(models.WordLevel({}, unk_token=""))
    (scratch.add_special_tokens if special else scratch.add_tokens)(list(tokens))
    return _added(scratch)


def copied(tokenizer: Tokenizer) -> Tokenizer:
    """A tokenizer with the same parts, shared, and the same added tokens, its own."""
    return _made(tokenizer, _added(tokenizer))


def with_tokens(tokenizer: Tokenizer, tokens: Iterable[AddedToken]) -> Tokenizer:
    """A copy with these tokens too, at its end where it lacks them, all of them looked for where they are found.

    A token that is there gets the flags that are stated here.
    """
    known = {token.content: token for token in (*_added(tokenizer), *tokens)}
    return _made(tokenizer, as_found(list(known.values()), tokenizer.normalizer))


def with_written(tokenizer: Tokenizer, tokens: Iterable[AddedToken]) -> Tokenizer:
    """A copy with these tokens too, all of them looked for as they are written; those that are there stay as found."""
    return _made(tokenizer, [*_added(tokenizer), *(_flagged(token, normalized=False) for token in tokens)])


def _made(tokenizer: Tokenizer, tokens: Sequence[AddedToken]) -> Tokenizer:
    copy = Tokenizer(tokenizer.model)
    for part in ("normalizer", "pre_tokenizer", "post_processor", "decoder"):
        if getattr(tokenizer, part) is not None:
            setattr(copy, part, getattr(tokenizer, part))
    remember_steps(copy, python_steps(tokenizer))
    # The library numbers tokens that the model lacks in the order in which they come.
    copy.add_tokens(tokens)
    return copy


def register(tokenizer: Tokenizer, settings: Settings) -> list[AddedToken]:
    """Give the added and special tokens of the settings their ids; gives the tokens, for `with_tokens`.

    A role that only the family's facts give does not make a token that the vocabulary lacks.
    """
    stated = {token.content: token for token in settings.added_tokens.values()}
    present = {token.content: token for token in _added(tokenizer)}
    of_roles = [
        token
        for role, token in settings.special_tokens.items()
        if role in settings.declared or token.content in stated or tokenizer.token_to_id(token.content) is not None
    ]
    special = {token.content: token for token in (*of_roles, *settings.additional_special_tokens)}
    for text, token in special.items():
        stated.setdefault(text, token if text in settings.flagged else present.get(text, token))
    tokens = [_flagged(token, special=token.special or text in special) for text, token in stated.items()]
    tokenizer.add_tokens([_flagged(token, normalized=False) for token in tokens])
    return tokens


def as_found(tokens: Sequence[AddedToken], normalizer: Normalizer | None) -> list[AddedToken]:
    """The tokens, ``normalized`` only where that finds them wherever they stand, and nothing that reads otherwise."""
    normal = _normal([token.content for token in tokens if token.normalized], normalizer)
    # The first pass would find one that is written within another before the second could find the other.
    written = {token.content for token in tokens} - normal
    lengths = {len(text) for text in written}
    normal -= {
        text
        for text in normal
        if any(text[at : at + length] in written for length in lengths for at in range(len(text) - length + 1))
    }
    return [token if token.content in normal else _flagged(token, normalized=False) for token in tokens]


def _normal(texts: Sequence[str], normalizer: Normalizer | None) -> set[str]:
    """The texts that normalizing leaves as they are up to case, whatever stands beside them; one of those alike."""
    if normalizer is None or not texts:
        return set(texts)
    normalized = normalizer.normalize_str
    around = normalized(_AROUND)
    if normalized(_AROUND + _AROUND) != around + around:
        return set()
    forms = {text: normalized(text) for text in texts}
    first: dict[str, str] = {}
    for text in sorted(forms, key=lambda text: forms[text] != text):
        first.setdefault(forms[text], text)
    return {
        text
        for form, text in first.items()
        if form.lower() == text.lower() and normalized(_AROUND + text + _AROUND) == around + form + around
    }


def _added(tokenizer: Tokenizer) -> list[AddedToken]:
    """The added tokens of a tokenizer in the order of their ids."""
    return [token for _, token in sorted(tokenizer.get_added_tokens_decoder().items())]


def _flagged(token: AddedToken, **flags: bool) -> AddedToken:
    return AddedToken(token.content, **{**token_flags(token), **flags})
