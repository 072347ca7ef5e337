"""Decoding beside other libraries: random weights of a real model's shape, the same texts, as many new tokens for all.

What matters is time, but it only counts as the same work if the tokens agree, so how many of them do is printed too: of
the same type all should, of rounded random weights few can.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from measure import Contestant, Results
from race import CONTESTANTS, OURS, TYPES, Course, Race, run_python

THEIRS = ("transformers", "ctranslate2")
LIBRARIES = {OURS: TYPES, "transformers": ("float32", "bfloat16"), "ctranslate2": ("float32", "int8")}
"""With the types of weights that each computes with on a CPU."""
sys.path.append(str(CONTESTANTS))

from decoding import Work  # noqa: E402  # what the contestants import as well


@dataclass(frozen=True, kw_only=True)
class DecodingRace(Race):
    """A model of random weights that writes texts."""

    head: str
    config: Mapping[str, Any]
    length: int
    """Tokens of each prompt or source."""
    new_tokens: int
    settings: Mapping[str, tuple[int, int]]
    """Name -> batch, number of beams."""
    generation: Mapping[str, Any] = field(default_factory=dict)
    """What the model's ``generation_config.json`` says beside its special tokens."""
    theirs: tuple[str, ...] = THEIRS
    """The libraries that know the model."""

    @property
    def rates(self) -> Sequence[str]:
        """New tokens, in each setting."""
        return list(self.settings)

    def part(self, every: int) -> Self:
        """Fewer new tokens."""
        return replace(self, new_tokens=max(1, self.new_tokens // every))

    def contestants(self, course: Course) -> Sequence[Contestant]:
        """Each library that knows the model, in each type of weights."""
        folder = course.folder
        course.save_random_model(self.model_type, self.head, self.config, **self.generation)
        if "ctranslate2" in self.theirs:
            run_python(course.peers, str(CONTESTANTS / "to_ctranslate2.py"), str(folder), str(folder / "ctranslate2"))
        work = Work(
            model=str(folder),
            encoder_decoder=self.head == "conditional-generation",
            threads=course.threads,
            texts=_texts(max(batch for batch, _ in self.settings.values()), self.length),
            new_tokens=self.new_tokens,
            settings=dict(self.settings),
        )
        work.write(folder / "work.json")
        libraries = {library: LIBRARIES[library] for library in (OURS, *self.theirs)}
        return course.contestants("decoding", libraries, folder / "work.json")

    def report(self, course: Course, results: Results) -> None:
        """How many tokens are those of the first contestant."""
        tokens = {name: json.loads(course.output(name).read_text(encoding="utf-8")) for name in results.rounds}
        first, *others = tokens
        print()
        for name in others:
            shares = []
            for setting, ours in tokens[first].items():
                rows = zip(ours, tokens[name][setting], strict=True)
                pairs = [pair for one, other in rows for pair in zip(one, other, strict=True)]
                shares.append(f"{setting} {sum(mine == other for mine, other in pairs) / len(pairs):.0%}")
            print(f"tokens of {name} that are those of {first}: {', '.join(shares)}")


def _texts(count: int, length: int) -> list[list[int]]:
    """Some token ids, other than the special ones, which are among the first and last of a vocabulary."""
    return [[100 + (row * length + column) * 7919 % 30000 for column in range(length)] for row in range(count)]
