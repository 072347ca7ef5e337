"""How long the rows of a call become: which truncation and padding its arguments ask for, and whether they agree."""

import warnings
from dataclasses import dataclass
from typing import Literal

from tfx_core.errors import InputError, shown
from tfx_core.habits import hint
from tfx_core.text.recipe import Side
from tfx_core.text.vocabulary import Truncation

PaddingOption = bool | Literal["longest", "max_length", "do_not_pad"]
TruncationOption = bool | Literal["longest_first", "only_first", "only_second", "do_not_truncate"] | None

UNLIMITED = int(1e30)
"""``model_max_length`` of a tokenizer whose model takes texts of any length, as the ecosystem writes it."""

_STRATEGIES = ("longest_first", "only_first", "only_second")


@dataclass(frozen=True)
class Padding:
    """What rows are filled up with, and to which length: ``length``, or the longest row where it is None."""

    token: str
    token_id: int
    token_type_id: int
    side: Side
    length: int | None = None
    multiple_of: int | None = None

    def target(self, longest: int) -> int:
        """The length of a padded row, where the longest has ``longest`` tokens."""
        length = longest if self.length is None else self.length
        multiple = self.multiple_of or 1
        return -(-length // multiple) * multiple


def is_unlimited(length: float) -> bool:
    """Whether a number of tokens stands for no limit: from 2³¹ on, which no row reaches."""
    return length >= 2**31


def truncation_strategy(option: TruncationOption, padding: PaddingOption, max_length: int | None) -> str | None:
    """The strategy that ``truncation=option`` names, None for no truncation.

    As in transformers, ``max_length`` cuts where a call speaks neither of truncation nor of padding. Raises
    `InputError` for an unknown name and for a ``max_length`` that would do nothing.
    """
    if option is None:
        option = max_length is not None and padding in (False, "do_not_pad")
    if option is True:
        return "longest_first"
    if option in _STRATEGIES:
        return str(option)
    if option not in (False, "do_not_truncate"):
        raise InputError(f"truncation={option!r}; it must be True, False or one of {', '.join(_STRATEGIES)}")
    if max_length is not None and padding != "max_length":
        raise InputError(
            f"max_length={max_length} has no effect with truncation={option!r} and padding={padding!r}; "
            "pass truncation=True to cut texts, padding='max_length' to fill them up"
        )
    return None


def plan_truncation(
    strategy: str | None, max_length: int, stride: int, side: str, *, special_tokens: int, paired: bool
) -> Truncation | None:
    """How to cut rows to ``max_length`` tokens, ``special_tokens`` of which the tokenizer adds; None for not at all.

    Raises `InputError` for arguments that contradict each other.
    """
    if strategy is None:
        if stride:
            raise InputError(f"stride={stride} has no effect without truncation; pass truncation=True")
        return None
    if strategy == "only_second" and not paired:
        raise InputError("truncation='only_second' needs pairs of texts; pass truncation=True for single ones")
    if is_unlimited(max_length):
        warnings.warn("truncation cuts nothing: neither max_length nor model_max_length is set", stacklevel=4)
        return None
    room = max_length - special_tokens
    if room < 0:
        raise InputError(f"max_length={max_length} leaves no room for the {special_tokens} special tokens of a row")
    if stride < 0 or stride >= max(room, 1):
        raise InputError(f"stride={stride} must be less than the {room} tokens of text in rows of {max_length}")
    return Truncation(max_length, strategy, check_side(side, "truncation_side"), stride)


def check_pair(truncation: Truncation, first: int, second: int, special_tokens: int, where: str) -> None:
    """Raise `InputError` where a pair of texts of so many tokens cannot be cut as asked.

    The `tokenizers` library says the same without naming the texts, or ends in a panic where ``stride`` is too large.
    """
    room = truncation.max_length - special_tokens
    if first + second <= room:
        return
    short = min(first, second)
    if truncation.strategy != "longest_first":
        least = room - (second if truncation.strategy == "only_first" else first)
    elif 2 * short <= room:  # only the longer one is cut
        least = room - short
    else:  # both, to half the room each; the longer one has the odd token, and a text cut to nothing has no overlap
        least = room // 2 or room - room // 2 or truncation.stride + 1
    if least <= truncation.stride:
        raise InputError(
            f"{where}: {first} and {second} tokens; truncation={truncation.strategy!r} to max_length="
            f"{truncation.max_length} leaves {max(least, 0)} of the one that is cut, which must be more than "
            f"stride={truncation.stride}"
        )


def plan_padding_length(option: PaddingOption, max_length: int) -> tuple[bool, int | None]:
    """Whether ``padding=option`` pads, and to which length: None for the longest row.

    Raises `InputError` for an unknown name and for padding to the length of a model that has none.
    """
    if option in (False, "do_not_pad"):
        return False, None
    if option in (True, "longest"):
        return True, None
    if option != "max_length":
        raise InputError(f"padding={option!r}; it must be True, False, 'longest' or 'max_length'")
    if is_unlimited(max_length):
        raise InputError("padding='max_length' needs max_length=…: this model takes texts of any length")
    return True, max_length


def check_multiple(multiple_of: int | None, padded: bool, truncation: Truncation | None) -> None:
    """Raise `InputError` for a ``pad_to_multiple_of`` that is no length, does nothing or breaks ``max_length``."""
    if multiple_of is None:
        return
    if multiple_of < 1:
        raise InputError(f"pad_to_multiple_of={multiple_of}; it must be at least 1")
    if not padded:
        raise InputError(f"pad_to_multiple_of={multiple_of} has no effect without padding; pass padding=True")
    if truncation is not None and truncation.max_length % multiple_of:
        raise InputError(
            f"pad_to_multiple_of={multiple_of} does not divide max_length={truncation.max_length}, "
            "so padded rows could be longer than that"
        )


class SideSetting:
    """A side that can be set; `InputError` for what is none."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, settings: object, owner: type) -> Side:
        side: Side = vars(settings)[self.name]
        return side

    def __set__(self, settings: object, side: Side) -> None:
        vars(settings)[self.name] = check_side(side, self.name)


def check_side(side: str, name: str) -> Side:
    """``side`` itself, which must be ``"left"`` or ``"right"``; raises `InputError`."""
    sides: dict[str, Side] = {"left": "left", "right": "right"}
    if side not in sides:
        cure = hint("tokenizer", 'tok.padding_side = "middle"')
        raise InputError(f"{name}={shown(side)}; {cure}")
    return sides[side]
