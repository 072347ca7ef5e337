"""Word alignments are refused where no decoder attends to an encoder's tokens, or predicts them."""

from typing import Any

import pytest

import tfx_core
from tests.cases import readers_of_text
from tests.models.tiny import tiny_config
from tfx_core.alignment import word_alignments
from tfx_core.errors import InputError

HEADS = [(spec.name, head) for spec in readers_of_text() for head in spec.heads]
ALIGNING = "conditional-generation"


@pytest.mark.parametrize(("name", "head"), [each for each in HEADS if each[1] != ALIGNING])
def test_a_model_that_translates_nothing_aligns_nothing(name: str, head: str) -> None:
    model = tfx_core.new_model(name, head=head, seed=0, **tiny_config(name))
    unread: Any = None
    with pytest.raises(InputError, match=rf"^word alignments: .*head '{head}'"):
        word_alignments(model, unread, ["a"], ["b"])
