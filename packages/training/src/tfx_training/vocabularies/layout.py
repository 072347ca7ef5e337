"""Where special tokens stand in a new vocabulary: at the ids that the family's config has for them, or beside these."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_MOST_GIVEN = 100
"""An id from here on is of the released vocabulary's size, as GPT-2's 50256: such a token stands at the end."""


def config_ids(config: type[Any]) -> dict[str, int]:
    """Role -> the id that a new config has for it."""
    roles = ("pad", "bos", "eos", "unk", "sep", "cls", "mask")
    found = {role: getattr(config, f"{role}_token_id", None) for role in roles}
    return {f"{role}_token": number for role, number in found.items() if isinstance(number, int)}


def arranged(
    roles: Mapping[str, str], ids: Mapping[str, int], order: Sequence[str], others: Iterable[str], filler: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Special tokens, those at the beginning of the vocabulary and those at its end, each once.

    Those of a role with an id stand there, the others, in the ``order`` of their roles, at the places between and
    behind; ``others`` have no role, and ``filler`` are tokens for places that would be empty.
    """
    others = list(dict.fromkeys(others))
    placed: dict[int, str] = {}
    last: list[str] = []
    for role, token in roles.items():
        number = ids.get(role)
        if number is None or token in (*placed.values(), *last, *others):
            continue
        if number >= _MOST_GIVEN:
            last.append(token)
        else:
            placed.setdefault(number, token)
    behind = "mask_token" not in order
    rest = [roles[role] for role in order if role in roles and roles[role] not in others]
    rest = [token for token in dict.fromkeys((*rest, *others)) if token not in (*placed.values(), *last)]
    mask = [roles["mask_token"]] if behind and "mask_token" in roles else []
    last += [token for token in mask if token not in (*placed.values(), *rest, *last)]
    first: list[str] = []
    spare = [token for token in filler if token not in (*roles.values(), *others)]
    while rest or any(number >= len(first) for number in placed):
        first.append(placed.get(len(first)) or (rest.pop(0) if rest else spare.pop(0)))
    return first, last
