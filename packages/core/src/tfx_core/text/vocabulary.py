"""Tokens, ids and special roles, immutable: a change makes a new `Vocabulary`, so a call under way sees none of it.

`tokenizers.Tokenizer` keeps truncation, and whether special tokens in a text count, as mutable state. Here every
combination in use has a tokenizer of its own, configured once. They share the model, so that one costs a fraction of a
millisecond and no memory to speak of, and calls with different settings can run in any number of threads.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from tokenizers import AddedToken, Encoding
from tokenizers import Tokenizer as Backend

from tfx_core.errors import TextError
from tfx_core.habits import hint
from tfx_core.text.added_tokens import copied, new_tokens, with_tokens, with_written
from tfx_core.text.bounds import LONGEST_ADDED_TOKEN, check_piece
from tfx_core.text.decoding import Decoder
from tfx_core.text.guard import guarded
from tfx_core.text.numbering import Cutter, Numbered, Renumbered
from tfx_core.text.python_steps import Part, Steps, python_steps, set_steps
from tfx_core.text.recipe import SPECIAL_ROLES, Side

_VARIANTS_KEPT = 64

T = TypeVar("T")


@dataclass(frozen=True)
class Truncation:
    """How texts are cut: at most ``max_length`` tokens with special ones, ``stride`` of them shared by neighbours."""

    max_length: int
    strategy: str
    side: Side
    stride: int = 0


class Vocabulary:
    """A tokenizer of the `tokenizers` library that nothing changes, with the roles of its special tokens.

    ``backend`` neither truncates nor pads, and only this vocabulary, and those made of it, use it: the library refuses
    to change a tokenizer that another thread is using. Where texts are cut by another file than the one that numbers
    the tokens, ``backend`` numbers them and ``cutter`` cuts.
    """

    def __init__(
        self,
        backend: Backend,
        roles: Mapping[str, AddedToken],
        additional: Iterable[AddedToken] = (),
        cutter: Cutter | None = None,
    ) -> None:
        self.backend = backend
        self.cutter = cutter
        self._cutting = backend if cutter is None else cutter.backend
        self.decoder = Decoder(backend)
        self.roles = {role: roles[role] for role in SPECIAL_ROLES if role in roles}
        self.additional = tuple(additional)
        self.special_tokens = tuple(dict.fromkeys(token.content for token in (*self.roles.values(), *self.additional)))
        """Tokens of all roles and those without one, each once, in the order of `SPECIAL_ROLES`."""
        self._size: int | None = None
        self._variants: dict[tuple[Truncation | None, bool], Backend] = {(None, False): self._cutting}
        self._once: dict[Hashable, Any] = {}

    def __reduce__(self) -> tuple[object, ...]:
        steps = python_steps(self.backend)
        backend = copied(self.backend) if steps else self.backend
        for part in steps:  # which the library does not pickle
            setattr(backend, part, None)
        cutter = None if self.cutter is None else self.cutter.backend
        return _restored, (backend, steps, self.roles, self.additional, cutter)

    def configured(self, truncation: Truncation | None, split_special_tokens: bool = False) -> Backend:
        """The tokenizer that truncates like this; ``split_special_tokens`` reads ``[SEP]`` in a text as plain text."""
        key = (truncation, split_special_tokens)
        backend = self._variants.get(key)
        if backend is None:
            with guarded("the tokenizer cannot be set to this truncation"):
                backend = copied(self._cutting)
                backend.encode_special_tokens = split_special_tokens
                if truncation is not None:
                    backend.enable_truncation(
                        max_length=truncation.max_length,
                        stride=truncation.stride,
                        strategy=truncation.strategy,
                        direction=truncation.side,
                    )
            if len(self._variants) >= _VARIANTS_KEPT:  # a caller with ever new lengths must not fill the memory
                self._variants = {(None, False): self._cutting}
            self._variants[key] = backend
        return backend

    def once(self, name: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` makes of this vocabulary, kept by its ``name``."""
        kept: T | None = self._once.get(name)
        if kept is None:
            kept = make()
            if len(self._once) >= _VARIANTS_KEPT:
                self._once = {}
            self._once[name] = kept
        return kept

    def framed(self, name: Hashable, make: Callable[[Backend], Any]) -> "Vocabulary":
        """The vocabulary around whose texts stands what ``make`` says, a post-processor; kept by its ``name``."""
        return self.once(name, lambda: self._framed(make))

    def _framed(self, make: Callable[[Backend], Any]) -> "Vocabulary":
        with guarded("what stands around a text cannot be set"):
            backend, cutter = _framed(self.backend, make), self.cutter
            if cutter is not None:
                cutter = replace(cutter, backend=_framed(cutter.backend, make))
        return Vocabulary(backend, self.roles, self.additional, cutter)

    def spelled(self, encodings: list[Encoding], items: Sequence[object]) -> list[Encoding]:
        """The rows that texts were cut into, their tokens as `ids` looks them up."""
        return encodings if self.cutter is None else self.cutter.spelled(encodings, items)

    def ids(self, encoding: Encoding) -> Sequence[int]:
        """The ids of the tokens that a text was cut into."""
        return encoding.ids if self.cutter is None else self.cutter.ids(encoding)

    def numbered(self, encodings: Sequence[Encoding]) -> Sequence[Encoding]:
        """The rows that texts were cut into, with the ids of this vocabulary."""
        return encodings if self.cutter is None else Renumbered(encodings, self.cutter)

    def __len__(self) -> int:
        if self._size is None:  # the library counts by making a list of all tokens
            self._size = int(self.backend.get_vocab_size(with_added_tokens=True))
        return self._size

    def id(self, token: str) -> int | None:
        """The id of a token, None for one that is not in the vocabulary."""
        number: int | None = self.backend.token_to_id(token)
        return number

    def token(self, number: int) -> str:
        """The token with an id; raises `TextError` for an id that the vocabulary lacks."""
        token = self.backend.id_to_token(number) if 0 <= number < 2**32 else None
        if token is None:
            cure = hint("tokenizer", "tok.decode([10**6])")
            raise TextError(f"the id {number} is not in the vocabulary, which has {len(self)} tokens; {cure}")
        return str(token)

    def role_id(self, role: str) -> int | None:
        """The id of the token with this role, None where no token has it."""
        token = self.roles.get(role)
        return None if token is None else self.id(token.content)

    def adding(self, tokens: Iterable[str | AddedToken], special: bool = False) -> "Vocabulary":
        """A vocabulary with these tokens too, at its end where it lacks them."""
        new = list(tokens)
        for token in new:
            if not isinstance(token, str | AddedToken) or not str(token):
                raise TextError(f"{token!r} cannot be a token; a token is a string that is not empty")
            check_piece(str(token), "add_tokens", LONGEST_ADDED_TOKEN)
        with guarded("these tokens cannot be added"):
            new = new_tokens(new, special)
            backend, cutter = with_tokens(self.backend, new), self.cutter
            if cutter is not None:
                cutter = Cutter.of(Numbered(backend, with_written(cutter.backend, new)))
        return Vocabulary(backend, self.roles, self.additional, cutter)

    def assigning(self, roles: Mapping[str, AddedToken | None], additional: Iterable[AddedToken]) -> "Vocabulary":
        """A vocabulary with these tokens in these roles (None: no token), and ``additional`` ones without a role."""
        kept = {role: token for role, token in {**self.roles, **roles}.items() if token is not None}
        for token in (*kept.values(), *additional):
            if self.id(token.content) is None:
                raise TextError(
                    f"{token.content!r} is not in the vocabulary; add it: "
                    f"tokenizer.add_special_tokens({{role: {token.content!r}}})"
                )
        return Vocabulary(self.backend, kept, additional, self.cutter)


def _framed(backend: Backend, make: Callable[[Backend], Any]) -> Backend:
    backend = copied(backend)
    backend.post_processor = make(backend)
    return backend


def _restored(
    backend: Backend,
    steps: Mapping[Part, Steps],
    roles: Mapping[str, AddedToken],
    additional: Iterable[AddedToken],
    cutter: Backend | None,
) -> Vocabulary:
    for part in steps:
        set_steps(backend, part, steps[part])
    return Vocabulary(backend, roles, additional, None if cutter is None else Cutter.of(Numbered(backend, cutter)))
