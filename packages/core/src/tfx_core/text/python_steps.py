"""Steps of a tokenizer that are written in Python, where the `tokenizers` library has none that does the work.

The library runs them, but neither gives them back nor pickles them, and no ``tokenizer.json`` can hold them. So a
tokenizer that has any remembers all steps, from which another process makes them again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from tokenizers import NormalizedString, Regex, Tokenizer, normalizers, pre_tokenizers

Part = Literal["normalizer", "pre_tokenizer"]
Steps = Sequence[Any]
"""Steps of the library, and objects with a method as the library's: ``normalize(text)``, ``pre_tokenize(text)``."""

_KINDS: dict[Part, tuple[Any, Any]] = {
    "normalizer": (normalizers.Normalizer, normalizers.Sequence),
    "pre_tokenizer": (pre_tokenizers.PreTokenizer, pre_tokenizers.Sequence),
}


def set_steps(tokenizer: Tokenizer, part: Part, steps: Steps) -> None:
    """Let a part of a tokenizer be these steps, one after the other."""
    step, sequence = _KINDS[part]
    setattr(tokenizer, part, sequence([each if isinstance(each, step) else step.custom(each) for each in steps]))
    vars(tokenizer).pop(part, None)
    if not all(isinstance(each, step) for each in steps):
        # In sequences of one: the library pickles these, but not every step.
        alone = (isinstance(each, step) and not isinstance(each, sequence) for each in steps)
        vars(tokenizer)[part] = [sequence([each]) if yes else each for yes, each in zip(alone, steps, strict=True)]


def python_steps(tokenizer: Tokenizer) -> dict[Part, Steps]:
    """The parts that have a step in Python, with all their steps."""
    return dict(vars(tokenizer))


def remember_steps(tokenizer: Tokenizer, steps: Mapping[Part, Steps]) -> None:
    """Note of which steps the parts that a tokenizer shares with another are."""
    vars(tokenizer).update(steps)


_GAP, _KEPT = "\ufff0", "\ufff1"
"""Stand between two characters, until they are a blank or nothing; no character has these codes."""


def set_apart(text: NormalizedString, starts_of: Callable[[str], Iterable[int]]) -> None:
    """Put a blank before every place of a text, but its first, where a word starts."""
    text.replace(Regex(f"[{_GAP}{_KEPT}]"), "")
    starts = {*starts_of(text.normalized)}
    places = iter(range(1, len(text.normalized)))
    text.replace(Regex(r"(?<=(?m:.))(?=(?m:.))"), _GAP)
    text.map(lambda sign: sign if sign != _GAP else " " if next(places) in starts else _KEPT)
    text.replace(_KEPT, "")
