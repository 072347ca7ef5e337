"""What has to be refused, and in which words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tfx_core.errors import InputError


@contextmanager
def refused(said: str, what: str, error: type[Exception] = InputError) -> Iterator[None]:
    """Fail unless what is done within raises this error, with a message that the regular expression ``said`` finds.

    ``what`` says what should be refused.
    """
    try:
        yield
    except error as told:
        if re.search(said, str(told)) is None:
            raise AssertionError(f"{what} is refused in other words than /{said}/: {told}") from told
    except Exception as other:
        other.add_note(f"{what} should be refused with {error.__name__}, in the words /{said}/")
        raise
    else:
        raise AssertionError(f"{what} is not refused: {error.__name__} should say /{said}/")
