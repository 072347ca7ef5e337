"""A head of a third party beside the architecture's own: what it may build on, and the tasks that it can serve."""

from collections.abc import Iterator

import pytest

import tfx_core
from tests.core.tasks import crf
from tests.core.tasks.conftest import Folder
from tfx_core.errors import InputError, UnknownNameError

LABELS = {0: "O", 1: "B-PER", 2: "B-LOC"}


@pytest.fixture(autouse=True)
def plugin() -> Iterator[None]:
    with tfx_core.register(crf.Plugin(), name="crf"):
        yield


def test_a_head_that_stands_in_for_another_serves_its_task(folder: Folder) -> None:
    saved = folder("crf", id2label=LABELS)
    task = tfx_core.pipeline("token-classification", model=saved)
    assert task.model.head_name == "crf"
    found = [each["entity"] for each in task("bob smith lives in new york", ignore_labels=[])]
    assert len(found) == 6
    following = {"O": "B-PER", "B-PER": "B-LOC", "B-LOC": "O"}
    assert found[1:] == [following[label] for label in found[:-1]]  # as no classifier of single tokens would label
    loaded = tfx_core.load_model(saved)
    again = tfx_core.pipeline("token-classification", model=loaded, tokenizer=saved)
    assert again("bob smith") == task("bob smith")


def test_a_head_that_stands_in_for_none_serves_no_task(folder: Folder) -> None:
    saved = folder("shy-crf")
    with pytest.raises(InputError, match="head 'shy-crf'; token-classification needs one that was trained with 'token"):
        tfx_core.pipeline("token-classification", model=saved)
    with pytest.raises(InputError, match="needs a model with the head 'token-classification'; this one has 'shy-crf'"):
        tfx_core.pipeline("token-classification", model=tfx_core.load_model(saved), tokenizer=saved)


def test_a_head_that_asks_for_what_a_backbone_lacks_is_refused_at_once(folder: Folder) -> None:
    said = "head 'seeing-crf' needs a backbone with 'image-state'; toy has 'token-states', 'pooled-state'"
    with pytest.raises(UnknownNameError, match=said):
        tfx_core.new_model("toy", head="seeing-crf")
    with pytest.raises(UnknownNameError, match=said):
        tfx_core.load_model(folder("crf"), head="seeing-crf")
