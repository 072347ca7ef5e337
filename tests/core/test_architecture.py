"""What ties an architecture's backbone and heads together, and what is said of those that do not fit."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tfx_core import ArchitectureSpec
from tfx_core.checkpoint import Rename
from tfx_core.errors import ConfigError, InputError
from tfx_core.model import Architecture, HeadPlan, Model
from tfx_core.model.heads import NoHead
from tfx_testing.toy import ARCHITECTURE, ToyBackbone, ToyConfig


def with_heads(**plans: HeadPlan[ToyConfig]) -> Architecture[ToyConfig]:
    """The toy architecture with these heads beside its own."""
    return replace(ARCHITECTURE, heads={**ARCHITECTURE.heads, **plans})


def no_head(config: ToyConfig, backbone: object) -> NoHead:
    return NoHead()


def test_heads_share_tensors_by_the_name_of_their_part() -> None:
    spans = ARCHITECTURE.heads["question-answering"].rules["spans"]
    table = with_heads(twin=HeadPlan(no_head, rules={"spans": spans})).weight_table(ToyConfig(), "twin")
    assert table.heads["twin"] == table.heads["question-answering"] == ("core", "spans")
    assert table.exclusive == {"spans", "sequence-classifier", "token-classifier"}


@pytest.mark.parametrize("part", ["core", "spans"])
def test_one_name_for_two_parts_is_refused(part: str) -> None:
    architecture = with_heads(other=HeadPlan(no_head, rules={part: (Rename("other.{p}", "head.{p}"),)}))
    with pytest.raises(ValueError, match=f"head 'other': there is another part '{part}', with other rules"):
        architecture.weight_table(ToyConfig(), "other")


def test_a_head_cannot_need_a_part_that_the_backbone_does_not_have() -> None:
    with pytest.raises(ValueError, match=r"name parts that exist, not \{'pooler'\}"):
        with_heads(other=HeadPlan(no_head, parts={"pooler"})).weight_table(ToyConfig(), "other")


def test_what_is_built_must_be_a_backbone() -> None:
    architecture = replace(ARCHITECTURE, backbone=lambda config, parts: nn.Linear(2, 2))
    with pytest.raises(TypeError, match=r"the backbone of toy is .*Linear.*, not a tfx_core\.Backbone"):
        Model(architecture, ToyConfig())


def test_a_backbone_may_generate_in_a_way_of_its_own() -> None:
    class Writing(ToyBackbone):
        def generate(self, model: Model, input_ids: Tensor | None = None, **options: Any) -> Any:
            assert model.backbone is self
            return input_ids, options

    ids = torch.tensor([[1, 2]])
    model = Model(replace(ARCHITECTURE, backbone=lambda config, parts: Writing(config)), ToyConfig())
    assert model.generate(ids, max_new_tokens=3) == (ids, {"max_new_tokens": 3})
    with pytest.raises(InputError, match="Toy models cannot generate"):
        Model(ARCHITECTURE, ToyConfig()).generate(ids)


def test_what_a_backbone_does_not_offer_is_refused() -> None:
    model = Model(ARCHITECTURE, ToyConfig())
    with pytest.raises(ConfigError, match=r"pruned_heads=\{0: \(1,\)\}: must be empty: heads of toy cannot be pruned"):
        model.prune_heads({0: [1]})
    with pytest.raises(InputError, match="prune_heads: this model's heads cannot be pruned"):
        model.backbone.prune_heads({0: [1]})
    with pytest.raises(InputError, match="keeps no key-value cache"):
        model.backbone.new_cache()
    with pytest.raises(InputError, match=r"head 'backbone' cannot generate$"):
        _ = model.language_head


def test_the_heads_of_a_spec_are_those_of_its_classes_unless_it_says_more() -> None:
    classes = {"AModel": "backbone", "AForLM": "masked-lm", "AForQA": "question-answering", "AOld": "masked-lm"}
    assert ArchitectureSpec("a", target="a:A", hf_classes=classes).heads == ("masked-lm", "question-answering")
    assert ArchitectureSpec("a", target="a:A", heads=("reader",), hf_classes={}).heads == ("reader",)
