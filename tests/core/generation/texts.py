"""A tokenizer for tests, and a model that writes a given text."""

from collections.abc import Sequence

import tokenizers
import torch
from torch import Tensor

from tests.core.generation.toys import TableState


class Bytes:
    """A byte-level tokenizer: every byte is a token, and so are a few words; id 0 is the special token ``<end>``."""

    def __init__(self, words: Sequence[str] = ()) -> None:
        self._alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
        vocabulary = {"<end>": 0, **{piece: number for number, piece in enumerate(self._alphabet, start=1)}}
        # pieces of words as they are written in byte-level vocabularies
        self._words = {self._spelled(word): len(vocabulary) + number for number, word in enumerate(words)}
        vocabulary.update(self._words)
        self._made = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, []))
        self._made.decoder = tokenizers.decoders.ByteLevel()
        self._made.add_special_tokens(["<end>"])
        self._ids = vocabulary
        self.size = len(vocabulary)

    def encode(self, *pieces: str | bytes) -> list[int]:
        """Ids of words of the vocabulary, of a text's bytes where it is no word, and of bytes."""
        ids: list[int] = []
        for piece in pieces:
            spelled = piece if isinstance(piece, bytes) else self._spelled(piece)
            if isinstance(spelled, str) and spelled in self._words:
                ids.append(self._words[spelled])
            else:
                ids.extend(
                    self._ids[self._letter(byte)] for byte in (piece.encode() if isinstance(piece, str) else piece)
                )
        return ids

    def decode(
        self, ids: list[int], /, *, skip_special_tokens: bool = False, clean_up_tokenization_spaces: bool = False
    ) -> str:
        assert all(isinstance(each, int) for each in ids)
        text: str = self._made.decode(ids, skip_special_tokens=skip_special_tokens)
        return text

    def _spelled(self, word: str) -> str:
        return "".join(self._letter(byte) for byte in word.encode())

    @staticmethod
    def _letter(byte: int) -> str:
        """The letter that stands for a byte."""
        printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
        if byte in printable:
            return chr(byte)
        return chr(256 + [each for each in range(256) if each not in printable].index(byte))


class Reciting(TableState):
    """Goes on with a given text, whatever is appended."""

    def __init__(self, size: int, prompts: list[list[int]], texts: list[list[int]]) -> None:
        self.size = size
        self.texts = [list(prompt) for prompt in prompts]
        self.log = []
        self.given = None
        self.sources = len(prompts)
        self.recited = [prompt + text for prompt, text in zip(prompts, texts, strict=True)]
        self.owners = list(range(len(prompts)))

    def select(self, sources: Tensor) -> None:
        super().select(sources)
        self.owners = [self.owners[source] for source in sources.tolist()]

    def _logits(self) -> Tensor:
        copies = len(self.texts) // self.sources
        logits = torch.full((len(self.texts), self.size), -9.0)
        for row, text in enumerate(self.texts):
            recited = self.recited[self.owners[row // copies]]
            logits[row, recited[len(text)] if len(text) < len(recited) else 0] = 9.0
        return logits
