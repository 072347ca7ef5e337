"""Two made-up languages of which it is known which word of a translation comes from which.

Every word has one translation, of one to three syllables, and no two words of a language have a syllable in common. A
third of the words of the first language are adjectives; in the second one they stand behind the word that they stand
before in the first.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

import tfx_core

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"
SYLLABLES = [first + vowel + last for last in ("", "n") for first in "bcdfghklmnprstvz" for vowel in "aeiou"]


class Example(NamedTuple):
    """A sentence, its translation, and which word of it each word of the translation comes from."""

    source: str
    target: str
    origins: tuple[int, ...]


@dataclass(frozen=True)
class Languages:
    """A lexicon, and the words that change their place."""

    lexicon: dict[str, str]
    adjectives: frozenset[str]
    longest: int = 8

    @classmethod
    def made(cls, words: int, seed: int = 0, longest: int = 8) -> "Languages":
        """Languages of so many words, which the syllables must be enough for."""
        syllables = Random(seed).sample(SYLLABLES, len(SYLLABLES))
        spelled = ["".join(syllables.pop() for _ in range((1, 2, 2, 3)[number % 4])) for number in range(2 * words)]
        return cls(dict(zip(spelled[:words], spelled[words:], strict=True)), frozenset(spelled[:words:3]), longest)

    def examples(self, seed: int) -> Iterator[Example]:
        """Sentences without end, in none of which a word stands twice."""
        random, words = Random(seed), sorted(self.lexicon)
        while True:
            yield self.translated(random.sample(words, random.randint(2, self.longest)))

    def translated(self, words: list[str]) -> Example:
        """A sentence of these words with its translation."""
        origins: list[int] = []
        waiting: list[int] = []
        for place, word in enumerate(words):
            if word in self.adjectives:
                waiting.append(place)
            else:
                origins += [place, *waiting]
                waiting = []
        origins += waiting
        return Example(" ".join(words), " ".join(self.lexicon[words[place]] for place in origins), tuple(origins))


def saved_tokenizer(folder: Path) -> tfx_core.Tokenizer:
    """Whose pieces are the syllables, written into the folder and read back from there."""
    pieces = [PAD, END, UNKNOWN, *SYLLABLES, *(f"▁{syllable}" for syllable in SYLLABLES)]
    tokenizer = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=2))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", pair=f"$A {END} $B {END}", special_tokens=[(END, 1)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    roles = {"pad_token": PAD, "eos_token": END, "unk_token": UNKNOWN}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", **roles}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    return tfx_core.load_tokenizer(folder)
