"""What a task offers whose text can be read while it is made."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from tfx_core.tasks.base import Result


@runtime_checkable
class Following(Protocol):
    """A task whose results can be followed; ``tfx-core run`` then writes them to a terminal as they come."""

    def can_follow(self, **options: object) -> bool:
        """Whether these options, over the task's own, let text be handed out before it is finished."""
        ...

    def follow(self, value: object, write: Callable[[str], object], **options: object) -> Result:
        """The result of one input; ``write`` gets its text in pieces, as soon as each is sure."""
        ...
