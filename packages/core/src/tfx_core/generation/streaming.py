"""Tokens and text handed out while they are generated."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, Queue
from typing import Protocol, runtime_checkable

from torch import Tensor

from tfx_core.errors import InputError, shown
from tfx_core.generation.stopping import TextDecoder
from tfx_core.habits import hint

_INCOMPLETE = "\N{REPLACEMENT CHARACTER}"
_CLEANED = 4
"""Characters, and so at most tokens, of what cleaning up blanks makes shorter."""


class Streamer(Protocol):
    """What may stand in ``streamer``; those of the reference library fit too."""

    def put(self, value: Tensor) -> None:
        """Take the prompts ``(rows, P)`` first, then the new tokens: ``(rows,)``, or ``(1, n)`` where several come.

        Finished rows go on with the padding token.
        """
        ...

    def end(self) -> None:
        """There is no more."""
        ...


@runtime_checkable
class AbortableStreamer(Streamer, Protocol):
    """A streamer that is told where a generation fails; others are told that it ends."""

    def abort(self, error: BaseException) -> None:
        """There is no more, because of this error, which the caller of `generate` gets."""
        ...


def check_streamer(streamer: object) -> None:
    """Raise `InputError` for what cannot be streamed to."""
    if streamer is not None and not all(callable(getattr(streamer, name, None)) for name in ("put", "end")):
        raise InputError(f"streamer={shown(streamer)}: {hint('generate', 'streamer=print')}")


@contextmanager
def told_of_errors(streamer: Streamer | None) -> Iterator[None]:
    """Whoever reads from the streamer does not wait for what will never come."""
    try:
        yield
    except BaseException as error:
        if isinstance(streamer, AbortableStreamer):
            streamer.abort(error)
        elif streamer is not None:
            streamer.end()
        raise


class TextStreamer:
    """Hands out the text of one row as soon as it is sure: never a part of a character.

    ``write`` gets every piece; by default it goes to the standard output, followed by a newline at the end. A subclass
    may instead have its own `on_finalized_text`. It may follow one generation after the other, also after one that
    failed.
    """

    def __init__(
        self,
        tokenizer: TextDecoder,
        skip_prompt: bool = False,
        *,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool = False,
        write: Callable[[str], object] | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.skip_prompt = skip_prompt
        self.skip_special_tokens = skip_special_tokens
        self.clean_up_tokenization_spaces = clean_up_tokenization_spaces
        self.write = write
        self._ids: list[int] = []
        # ids[settled:seen] have been handed out and stay as context, the older ones are dropped from decoding
        self._settled = 0
        self._seen = 0
        # of a tokenizer whose decoder changes what stands before, all ids are decoded, and the last ones wait
        self._unsettled: int = getattr(tokenizer, "unsettled_tokens", 0)
        if clean_up_tokenization_spaces:
            self._unsettled = max(self._unsettled, _CLEANED)
        self._handed_out = 0
        self._in_prompt = True

    def put(self, value: Tensor) -> None:
        """Take the prompt or new tokens of the one row."""
        if len(value) != 1:
            raise InputError(f"a text streamer follows one text; this call generates {len(value)}")
        value = value.flatten()
        if not (self._in_prompt and self.skip_prompt):
            self._ids.extend(value.tolist())
            piece = self._next_piece(whole=False)
            if piece:
                self.on_finalized_text(piece)
        self._in_prompt = False

    def end(self) -> None:
        """Hand out what is left, also an incomplete character."""
        self.on_finalized_text(self._next_piece(whole=True), stream_end=True)
        self._forget()

    def abort(self, error: BaseException) -> None:
        """Forget a generation that failed."""
        self._forget()

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        """Take a piece of text, the last one where ``stream_end``, which may be empty."""
        if self.write is None:
            sys.stdout.write(text + "\n" * stream_end)
            sys.stdout.flush()
        elif text:
            self.write(text)

    def _forget(self) -> None:
        self._ids, self._settled, self._seen, self._handed_out, self._in_prompt = [], 0, 0, 0, True

    def _next_piece(self, *, whole: bool) -> str:
        """What is sure now and has not been handed out."""
        if self._unsettled:
            text = self._decoded(self._ids)
            if not whole:
                text = _common(text, self._decoded(self._ids[: -self._unsettled]))
            piece = text[self._handed_out :]
            self._handed_out = max(self._handed_out, len(text))
            return piece
        known = self._decoded(self._ids[self._settled : self._seen])
        text = self._decoded(self._ids[self._settled :])
        if not whole and text.endswith(_INCOMPLETE):
            return ""  # the next token may complete the character
        piece = text[len(known) :]
        # text that only becomes visible with what follows (a space before a word) is handed out with it
        if piece:
            self._settled, self._seen = self._seen, len(self._ids)
        return piece

    def _decoded(self, ids: list[int]) -> str:
        return self.tokenizer.decode(
            ids,
            skip_special_tokens=self.skip_special_tokens,
            clean_up_tokenization_spaces=self.clean_up_tokenization_spaces,
        )


def _common(one: str, other: str) -> str:
    """What both texts begin with."""
    length = 0
    while length < min(len(one), len(other)) and one[length] == other[length]:
        length += 1
    return one[:length]


class TextIteratorStreamer(TextStreamer):
    """Iterate over it in one thread for the text that is generated in another; ``timeout`` in seconds per piece.

    Raises ``queue.Empty`` when no piece comes in time, and the generation's own error when it fails. What is not read
    of one generation is dropped when the next begins.
    """

    def __init__(
        self,
        tokenizer: TextDecoder,
        skip_prompt: bool = False,
        timeout: float | None = None,
        *,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool = False,
    ) -> None:
        self.timeout = timeout
        self._pieces: Queue[str | BaseException | None] = Queue()
        self._begun = False
        super().__init__(
            tokenizer,
            skip_prompt,
            skip_special_tokens=skip_special_tokens,
            clean_up_tokenization_spaces=clean_up_tokenization_spaces,
            write=self._pieces.put,
        )

    def put(self, value: Tensor) -> None:
        """Take the prompt or new tokens of the one row."""
        self._begin()
        super().put(value)

    def end(self) -> None:
        """Hand out what is left and end the iteration."""
        super().end()
        self._finish(None)

    def abort(self, error: BaseException) -> None:
        """End the iteration with the error."""
        super().abort(error)
        self._finish(error)

    def __iter__(self) -> Iterator[str]:
        while (piece := self._pieces.get(timeout=self.timeout)) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    def _begin(self) -> None:
        """Drop what was not read of the generation before."""
        if not self._begun:
            self._begun = True
            with suppress(Empty):
                while True:
                    self._pieces.get_nowait()

    def _finish(self, last: BaseException | None) -> None:
        self._begin()  # it may fail before its prompt comes
        self._pieces.put(last)
        self._begun = False
