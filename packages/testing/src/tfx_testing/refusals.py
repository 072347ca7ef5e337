"""What has to be refused, and in which words."""

import re
from collections.abc import Callable


def refused(
    what: str, error: type[Exception], said: str, call: Callable[..., object], *args: object, **named: object
) -> None:
    """Fail unless a call raises this error, with a message that a regular expression finds; ``what`` names the call."""
    try:
        call(*args, **named)
    except Exception as raised:
        if not isinstance(raised, error) or not re.search(said, str(raised)):
            raise AssertionError(f"{what}: must be a {error.__name__} as {said!r}, and is {raised!r}") from raised
    else:
        raise AssertionError(f"{what} is taken: must be a {error.__name__} as {said!r}")
