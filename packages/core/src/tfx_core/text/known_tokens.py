"""A tokenizer's attributes for its special tokens: ``pad_token``, ``pad_token_id`` and so on, to read and to set."""

from typing import TYPE_CHECKING, Self, overload

from tokenizers import AddedToken

if TYPE_CHECKING:
    from tfx_core.text.tokenizer import Tokenizer


class RoleToken:
    """The token with a role, None where there is none; assigning gives the role to a token of the vocabulary."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.role = name

    @overload
    def __get__(self, tokenizer: None, owner: type) -> Self: ...
    @overload
    def __get__(self, tokenizer: "Tokenizer", owner: type) -> str | None: ...
    def __get__(self, tokenizer: "Tokenizer | None", owner: type) -> "Self | str | None":
        if tokenizer is None:
            return self
        token = tokenizer.vocabulary.roles.get(self.role)
        return None if token is None else str(token.content)

    def __set__(self, tokenizer: "Tokenizer", token: str | AddedToken | None) -> None:
        tokenizer.assign_roles({self.role: token})


class RoleId:
    """The id of the token with a role, None where there is none; assigning gives the role to the token of an id."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.role = name.removesuffix("_id")

    @overload
    def __get__(self, tokenizer: None, owner: type) -> Self: ...
    @overload
    def __get__(self, tokenizer: "Tokenizer", owner: type) -> int | None: ...
    def __get__(self, tokenizer: "Tokenizer | None", owner: type) -> "Self | int | None":
        return self if tokenizer is None else tokenizer.vocabulary.role_id(self.role)

    def __set__(self, tokenizer: "Tokenizer", number: int | None) -> None:
        token = None if number is None else tokenizer.convert_ids_to_tokens(number)
        tokenizer.assign_roles({self.role: token})
