"""Steps of a tokenizer that are written in Python, where the `tokenizers` library has none that does the work.

The library runs them, but neither gives them back nor pickles them, and no ``tokenizer.json`` can hold them. So a
tokenizer that has any remembers all steps, from which another process makes them again.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tokenizers import Tokenizer, normalizers, pre_tokenizers

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
