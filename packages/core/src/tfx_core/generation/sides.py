"""What a model reads and what it writes: tokens of one vocabulary, or of two, whose ids have nothing in common."""

from dataclasses import dataclass
from typing import Any

from tfx_core.errors import InputError
from tfx_core.generation.options import DEFAULTS, GenerationOptions

_OF_BOTH_SIDES = ("encoder_repetition_penalty", "encoder_no_repeat_ngram_size")
"""Options that look for a source's tokens in what is written."""


@dataclass(frozen=True)
class Sides:
    """Of a model; sizes are ``None`` where its config does not say them."""

    read: int | None
    """How many tokens it reads."""
    key: str
    """What its config calls the number of those that it writes."""
    written: int | None

    @classmethod
    def of(cls, model: Any) -> "Sides":
        """By its config."""
        config = getattr(model, "config", None)
        key = getattr(config, "target_vocabulary", "vocab_size")
        return cls(getattr(config, "vocab_size", None), key, getattr(config, key, None))

    @property
    def alike(self) -> bool:
        """Whether there is one vocabulary."""
        return self.key == "vocab_size"

    def __str__(self) -> str:
        return str(self.read) if self.alike else f"{self.read} and {self.written}"

    def check(self, options: GenerationOptions) -> None:
        """Raise `InputError` for a forced token that cannot be written, and for what takes two vocabularies for one."""
        for name, tokens in (
            ("forced_bos_token_id", (options.forced_bos_token_id or 0,)),
            ("forced_eos_token_id", options.forced_eos_ids),
        ):
            if self.written is not None and any(token >= self.written for token in tokens):
                raise InputError(
                    f"{name}={getattr(options, name)}: must be a token that the model can write, below "
                    f"{self.key}={self.written}"
                )
        for name in () if self.alike else _OF_BOTH_SIDES:
            if getattr(options, name) != DEFAULTS[name]:
                raise InputError(
                    f"{name}={getattr(options, name)}: source and target have vocabularies of their own here, so that "
                    "none of the source's tokens can be written; leave it out"
                )
