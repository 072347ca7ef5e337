"""The tokens that a tokenizer knows: their ids, their special roles, and new ones."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, overload

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from tfx_core.errors import InputError, TextError
from tfx_core.habits import no_attribute
from tfx_core.text.decoding import Row, ids_of
from tfx_core.text.recipe import SPECIAL_ROLES
from tfx_core.text.vocabulary import Vocabulary

_CHANGES = threading.Lock()
"""Held while a tokenizer's vocabulary is exchanged for a changed one, so that no change is lost."""


class RoleToken:
    """The token with a role, None where there is none; assigning gives the role to a token of the vocabulary."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.role = name

    @overload
    def __get__(self, tokens: None, owner: type) -> Self: ...
    @overload
    def __get__(self, tokens: "KnownTokens", owner: type) -> str | None: ...
    def __get__(self, tokens: "KnownTokens | None", owner: type) -> "Self | str | None":
        if tokens is None:
            return self
        token = tokens.vocabulary.roles.get(self.role)
        return None if token is None else str(token.content)

    def __set__(self, tokens: "KnownTokens", token: str | AddedToken | None) -> None:
        tokens.assign_roles({self.role: token})


class RoleId:
    """The id of the token with a role, None where there is none; assigning gives the role to the token of an id."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.role = name.removesuffix("_id")

    @overload
    def __get__(self, tokens: None, owner: type) -> Self: ...
    @overload
    def __get__(self, tokens: "KnownTokens", owner: type) -> int | None: ...
    def __get__(self, tokens: "KnownTokens | None", owner: type) -> "Self | int | None":
        return self if tokens is None else tokens.vocabulary.role_id(self.role)

    def __set__(self, tokens: "KnownTokens", number: int | None) -> None:
        token = None if number is None else tokens.convert_ids_to_tokens(number)
        tokens.assign_roles({self.role: token})


class Elsewhere:
    """A class method of theirs that is a function here, or nothing."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, tokens: object, owner: type) -> Any:
        raise AttributeError(no_attribute("tokenizer", self.name, (), owner.__name__))


class KnownTokens:
    """A tokenizer's tokens: each has an id, some a role (``pad_token``), which can be read and set.

    Where targets have a vocabulary of their own, tokens and ids are those of sources; what is added or given a role is
    so in both, added at the end of each.
    """

    _target: Vocabulary | None = None

    bos_token, bos_token_id = RoleToken(), RoleId()
    eos_token, eos_token_id = RoleToken(), RoleId()
    unk_token, unk_token_id = RoleToken(), RoleId()
    sep_token, sep_token_id = RoleToken(), RoleId()
    pad_token, pad_token_id = RoleToken(), RoleId()
    cls_token, cls_token_id = RoleToken(), RoleId()
    mask_token, mask_token_id = RoleToken(), RoleId()

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    @property
    def target_vocabulary(self) -> Vocabulary:
        """The tokens of targets, the same as of sources unless the family has two vocabularies."""
        return self.vocabulary if self._target is None else self._target

    def _change(self, change: Callable[[Vocabulary], Vocabulary]) -> int:
        """Exchange the vocabularies for changed ones, all or none; gives the number of new tokens."""
        with _CHANGES:
            before = len(self)
            vocabulary, target = change(self.vocabulary), None if self._target is None else change(self._target)
            self.vocabulary, self._target = vocabulary, target
            return len(self) - before

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # pickle and copy ask before there is anything to find
            raise AttributeError(name)
        raise AttributeError(no_attribute("tokenizer", name, dir(type(self)), "the tokenizer"))

    @overload
    def convert_tokens_to_ids(self, tokens: str) -> int: ...
    @overload
    def convert_tokens_to_ids(self, tokens: list[str] | tuple[str, ...]) -> list[int]: ...
    def convert_tokens_to_ids(self, tokens: str | list[str] | tuple[str, ...]) -> int | list[int]:
        """The ids of tokens, that of ``unk_token`` for unknown ones; raises `TextError` where there is none."""
        if not isinstance(tokens, str):
            return [self.convert_tokens_to_ids(token) for token in tokens]
        number = self.vocabulary.id(tokens)
        if number is None:
            number = self.unk_token_id
        if number is None:
            raise TextError(f"{tokens!r} is not in the vocabulary, and this tokenizer has no token for unknown ones")
        return number

    @overload
    def convert_ids_to_tokens(self, ids: int, *, skip_special_tokens: bool = False) -> str: ...
    @overload
    def convert_ids_to_tokens(self, ids: Row, *, skip_special_tokens: bool = False) -> list[str]: ...
    def convert_ids_to_tokens(self, ids: "int | Row", *, skip_special_tokens: bool = False) -> str | list[str]:
        """The tokens of ids; raises `TextError` for an id that the vocabulary lacks."""
        numbers = ids_of(ids)
        tokens = [self.vocabulary.token(number) for number in numbers]
        if isinstance(ids, int):
            return tokens[0]
        special = set(self.vocabulary.special_tokens) if skip_special_tokens else ()
        return [token for token in tokens if token not in special]

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """The text of tokens."""
        return self.vocabulary.decoder.tokens(tokens)

    def get_vocab(self) -> dict[str, int]:
        """Every token and its id, added ones included."""
        return dict(self.vocabulary.backend.get_vocab(with_added_tokens=True))

    @property
    def vocab(self) -> dict[str, int]:
        """What `get_vocab` gives."""
        return self.get_vocab()

    @property
    def is_fast(self) -> bool:
        """Whether the `tokenizers` library does the work: always."""
        return True

    @property
    def backend_tokenizer(self) -> Backend:
        """The tokenizer of that library, to look at; change the tokens with the methods here."""
        return self.vocabulary.backend

    def get_added_vocab(self) -> dict[str, int]:
        """The added tokens and their ids, special ones included, in the order of ids."""
        return {token.content: number for number, token in self.added_tokens_decoder.items()}

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        """Id -> added token, special ones included, in the order of ids."""
        return dict(sorted(self.vocabulary.backend.get_added_tokens_decoder().items()))

    @property
    def vocab_size(self) -> int:
        """The number of tokens without added ones; ``len(tokenizer)`` counts those too."""
        return int(self.vocabulary.backend.get_vocab_size(with_added_tokens=False))

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __bool__(self) -> bool:
        return True

    @property
    def special_tokens_map(self) -> dict[str, str | list[str]]:
        """Role -> token; under ``additional_special_tokens`` the special tokens without a role."""
        tokens: dict[str, str | list[str]] = {role: token.content for role, token in self.vocabulary.roles.items()}
        if self.vocabulary.additional:
            tokens["additional_special_tokens"] = self.additional_special_tokens
        return tokens

    @property
    def additional_special_tokens(self) -> list[str]:
        """The special tokens without a role."""
        return [token.content for token in self.vocabulary.additional]

    @additional_special_tokens.setter
    def additional_special_tokens(self, tokens: "Sequence[str | AddedToken]") -> None:
        additional = [_special(token) for token in tokens]
        self._change(lambda vocabulary: vocabulary.assigning({}, additional))

    @property
    def additional_special_tokens_ids(self) -> list[int]:
        """The ids of the special tokens without a role."""
        return self.convert_tokens_to_ids(self.additional_special_tokens)

    @property
    def all_special_tokens(self) -> list[str]:
        """Every special token once."""
        return list(self.vocabulary.special_tokens)

    @property
    def all_special_ids(self) -> list[int]:
        """The ids of `all_special_tokens`."""
        return self.convert_tokens_to_ids(self.all_special_tokens)

    def add_tokens(
        self, new_tokens: "str | AddedToken | Sequence[str | AddedToken]", special_tokens: bool = False
    ) -> int:
        """Add tokens at the end of the vocabulary; gives the number that was not there before.

        The model's embeddings must grow to ``len(tokenizer)`` rows.
        """
        tokens = [new_tokens] if isinstance(new_tokens, str | AddedToken) else [*new_tokens]
        return self._change(lambda vocabulary: vocabulary.adding(tokens, special_tokens))

    def add_special_tokens(
        self,
        special_tokens_dict: Mapping[str, "str | AddedToken | Sequence[str | AddedToken]"],
        replace_additional_special_tokens: bool = True,
    ) -> int:
        """Give roles to tokens, ``{"pad_token": "[PAD]"}``, adding those that the vocabulary lacks; gives their number.

        ``additional_special_tokens`` takes a list of tokens, in place of those that are there or beside them.
        """
        roles: dict[str, AddedToken | None] = {}
        additional = list(self.vocabulary.additional)
        new: list[AddedToken] = []  # in the order in which they are given, which is that of their ids
        for role, value in special_tokens_dict.items():
            if role == "additional_special_tokens" and not isinstance(value, str | AddedToken):
                tokens = [_special(token) for token in value]
                kept = [] if replace_additional_special_tokens else additional
                known = {token.content for token in kept}
                additional = kept + [token for token in tokens if token.content not in known]
                new += tokens
            elif role in SPECIAL_ROLES and isinstance(value, str | AddedToken):
                roles[role] = _special(value)
                new.append(_special(value))
            else:
                accepted = ", ".join((*SPECIAL_ROLES, "additional_special_tokens (a list)"))
                raise InputError(f"{role}={value!r} names no role of a special token; roles are {accepted}")
        return self._change(lambda vocabulary: vocabulary.adding(new, special=True).assigning(roles, additional))

    def assign_roles(self, roles: Mapping[str, "str | AddedToken | None"]) -> None:
        """Give roles to tokens of the vocabulary, or (None) take them away; raises `TextError` for unknown tokens."""
        tokens = {role: None if token is None else _special(token) for role, token in roles.items()}
        self._change(lambda vocabulary: vocabulary.assigning(tokens, vocabulary.additional))


def _special(token: str | AddedToken) -> AddedToken:
    return AddedToken(token, special=True, normalized=False) if isinstance(token, str) else token
