"""Architectures that the checks bring with them, so that no family has to be installed for what needs a model."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import tfx_core
from tfx_core.plugins import ArchitectureSpec, registry
from tfx_testing import toy, toy_decoder
from tfx_testing.checks import Checks

__all__ = ["toys"]


@contextmanager
def toys() -> Iterator[None]:
    """Register the toy encoder and the toy decoder, where they are not registered."""
    there = {entry.spec.name for entry in registry.specs(ArchitectureSpec)}
    with ExitStack() as stack:
        for name, plugin in (("toy", toy.Plugin()), ("toy-decoder", toy_decoder.Plugin())):
            if name not in there:
                stack.enter_context(tfx_core.register(plugin, name=f"tfx-testing-{name}"))
        yield


class ToyChecks(Checks):
    """Checks that run with the toys registered, unless they are."""

    @classmethod
    @contextmanager
    def surroundings(cls) -> Iterator[None]:
        """With the toys."""
        with toys(), super().surroundings():
            yield
