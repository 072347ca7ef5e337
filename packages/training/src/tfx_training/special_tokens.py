"""The special tokens that objectives need of a tokenizer."""

from tfx_core import Tokenizer
from tfx_core.errors import InputError


def role_id(tokenizer: Tokenizer, role: str, *others: str) -> int:
    """The id of the token that an objective needs, or of the first there is of the ``others`` that can stand for it.

    Raises `InputError` where the tokenizer has none of them.
    """
    roles = (role, *others)
    ids = (getattr(tokenizer, f"{each}_id") for each in roles)
    number = next((int(each) for each in ids if each is not None), None)
    if number is None:
        raise InputError(
            f"this tokenizer has no {' and no '.join(roles)}, which the objective needs; name one of its tokens, "
            f"tokenizer.{role} = …, or add one with tokenizer.add_special_tokens and give the model as many rows"
        )
    return number
