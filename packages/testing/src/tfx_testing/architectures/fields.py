"""Every field of a config is read by something: a key that users set does what it says, or is known to do nothing."""

import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import tfx_core
from tfx_core.model import ModelConfig, load_architecture
from tfx_testing.architectures.base import CaseChecks, heads
from tfx_testing.cases import Variant
from tfx_testing.inputs import inputs_of
from tfx_testing.tiny import new_model
from tfx_testing.writers import prompts, writers, writing_model

COPYING = ("copy", "copyreg", "dataclasses", "tfx_core.fields", "tfx_core.model.config")
"""Modules that read every field of any config, to check, compare, copy and write it."""


class FieldChecks(CaseChecks):
    """The fields of a config."""

    def test_every_field_of_the_config_is_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever builds, fills, calls, saves, loads or writes with a model reads every field of its config.

        Where one is not read: a key that users set does nothing. Use it; or leave the field out and name the key in
        ``inert_keys``. Where it is read only beside another value, a variant of the case has to have that; what is
        kept for those who ask is named in ``unread`` of the case, with the reason.
        """
        kind = load_architecture(self.case.model_type).config
        own = {each.name for each in fields(kind)} - {each.name for each in fields(ModelConfig)}
        left = own - self.case.unread.keys()
        plain: Any = kind.__getattribute__

        def noted(config: Any, name: str) -> Any:
            if name in left and _is_used(sys._getframe(1)):
                left.discard(name)
            return plain(config, name)

        monkeypatch.setattr(kind, "__getattribute__", noted)
        for _ in self._uses(tmp_path):
            if not left:
                break
        assert not left, f"fields of {kind.__name__} that nothing reads: {sorted(left)}"
        unknown = self.case.unread.keys() - own
        assert not unknown, f"unread of the case names what is no field of {kind.__name__}: {sorted(unknown)}"

    def _uses(self, folder: Path) -> Iterator[None]:
        """What a model is used for, one use after the other; where the tiny config has left a field, with variants."""
        yield from self._calls(Variant("tiny"), folder / "tiny")
        for writer in writers(type(self)):
            model = writing_model(self.case, writer)
            model.generate(**prompts(self.case, model), max_new_tokens=2)
            yield
        for number, variant in enumerate(self.case.variants):
            yield from self._calls(variant, folder / str(number))

    def _calls(self, variant: Variant, folder: Path) -> Iterator[None]:
        for head in variant.heads or heads(type(self)):
            model = new_model(self.case, head, **variant.changes)
            yield
            for training in (True, False):
                model.train(training)(**{name: each[:2] for name, each in inputs_of(self.case, head).items()})
                yield
        model.save_pretrained(folder)
        tfx_core.load_model(folder)
        yield


def _is_used(frame: FrameType | None) -> bool:
    """Whether what reads a field uses it, or refuses some values of it, and does not only pass it on."""
    while frame is not None and frame.f_globals.get("__name__") != __name__:
        if frame.f_code.co_name == "validate":
            return True
        if frame.f_globals.get("__name__") in COPYING:
            return False
        frame = frame.f_back
    return True
