"""Word alignments are refused where no decoder attends to an encoder's tokens, or predicts them."""

from collections.abc import Sequence
from typing import Any

import pytest

import tfx_core
from tfx_core.alignment import word_alignments
from tfx_core.errors import InputError
from tfx_testing.architectures.base import CaseChecks
from tfx_testing.checks import each

ALIGNS = "conditional-generation"


def other_heads(cls: type[CaseChecks]) -> Sequence[str]:
    """The heads that translate nothing."""
    return [head for head in cls.heads() if head not in ("backbone", ALIGNS)]


class AlignmentChecks(CaseChecks):
    """Word alignments."""

    @each(head=other_heads)
    def test_a_model_that_translates_nothing_aligns_nothing(self, head: str) -> None:
        """`tfx_core.alignment.word_alignments` with a head that predicts no target is an `InputError` that names it.

        Where it is not: the backbone has a ``text_writer`` or the head has ``targets`` that the model does not write.
        """
        model = tfx_core.new_model(self.case.model_type, head=head, seed=0, **self.case.tiny)
        unread: Any = None
        with pytest.raises(InputError, match=rf"^word alignments: .*head '{head}'"):
            word_alignments(model, unread, ["a"], ["b"])
