"""One guard around every call into the `tokenizers` library.

Its exceptions have no class of their own and name no file, and where it did not expect a value it panics: a
`PanicException` is no `Exception`, and would pass by whoever catches those.
"""

from types import TracebackType

from tfx_core.errors import TextError, TfxError, cleaned

_LONGEST = 400
"""Characters of what the library says; it may quote a whole file."""


class guarded:  # noqa: N801  # a context manager, used like a function
    """Turns what the library raises in the block into a `TextError`: ``problem``, and what the library says.

    Errors of our own pass, and so does what is no failure of the library, like `KeyboardInterrupt`.
    """

    __slots__ = ("cure", "problem")

    def __init__(self, problem: str, cure: str = "") -> None:
        self.problem = problem
        self.cure = cure

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, TfxError):
            return
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            cure = f"; {self.cure}" if self.cure else ""
            raise TextError(f"{self.problem}: {cleaned(str(error), _LONGEST)}{cure}") from error
