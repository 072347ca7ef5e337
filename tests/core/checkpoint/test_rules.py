"""Names of tensors, in both directions."""

from typing import Any

import pytest
import torch

from tfx_core.checkpoint import Drop, Fuse, Legacy, Rename, Reshape, Rule, Same, Transpose, WeightTable
from tfx_core.errors import CheckpointError


def test_fields_stand_for_digits_parts_paths_and_choices() -> None:
    rule = Rename("model.{side:encoder|decoder}.layers.{i}.fc1.{p}", "backbone.{side}.layers.{i}.up.{p}")
    assert rule.sources("backbone.encoder.layers.11.up.bias") == ("model.encoder.layers.11.fc1.bias",)
    assert rule.target("model.decoder.layers.0.fc1.weight") == "backbone.decoder.layers.0.up.weight"
    for name in ("backbone.middle.layers.1.up.b", "backbone.encoder.layers.x.up.b", "backbone.encoder.layers.1.up",
                 "backbone.encoder.layers.1.up.a.b", "xbackbone.encoder.layers.1.up.bias"):  # fmt: skip
        assert rule.sources(name) is None
    assert rule.target("model-encoder.layers.1.fc1.bias") is None  # dots are dots
    anywhere = Rename("old.{x}.tail", "new.{x}.tail")
    assert anywhere.target("old.a.b.c.tail") == "new.a.b.c.tail"
    twice = Rename("blocks.{i}.{i}.w", "layers.{i}.w")
    assert twice.target("blocks.3.3.w") == "layers.3.w"
    assert twice.target("blocks.3.4.w") is None
    assert twice.sources("layers.3.w") == ("blocks.3.3.w",)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [(Rename, ("a.{i}", "b")), (Rename, ("a", "b.{i}")), (Fuse, (("q.{i}.{p}", "k.{i}"), "qk.{i}.{p}")),
     (Same, ("a.{i}", "b")), (Legacy, ("a", "b.{i}"))],
)  # fmt: skip
def test_a_rule_that_works_in_one_direction_only_is_refused(kind: Any, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="field"):
        kind(*arguments)


def test_a_transposed_matrix_and_its_bias() -> None:
    rule = Transpose("c_attn.{p}", "qkv.{p}")
    (view,) = rule.views(torch.arange(6.0).view(2, 3))
    assert view.tolist() == [[0, 3], [1, 4], [2, 5]]
    (bias,) = rule.views(torch.arange(3.0))
    assert bias.tolist() == [0, 1, 2]


def test_slices_of_a_fused_matrix_have_the_sizes_of_their_parts() -> None:
    rule = Fuse(("q.{p}", "k.{p}", "v.{p}"), "qkv.{p}")
    assert rule.sources("qkv.bias") == ("q.bias", "k.bias", "v.bias")
    assert {rule.target(name) for name in ("q.bias", "k.bias", "v.bias")} == {"qkv.bias"}
    ours = torch.arange(12.0).view(6, 2)
    equal = rule.views(ours)
    assert [view.tolist()[0] for view in equal] == [[0, 1], [4, 5], [8, 9]]
    given = Fuse(("q", "k"), "qk", dim=1, sizes=(3, 1)).views(torch.zeros(2, 4))
    assert [tuple(view.shape) for view in given] == [(2, 3), (2, 1)]
    with pytest.raises(ValueError, match="7 along dimension 0 are no equal parts"):
        rule.views(torch.zeros(7, 2))


def test_views_share_the_memory_of_the_parameter() -> None:
    ours = torch.zeros(6, 4)  # (H·d, D)
    rule = Reshape("q", "q.weight", view=lambda weight: weight.t().unflatten(1, (2, 3)))
    (theirs,) = rule.views(ours)
    assert theirs.shape == (4, 2, 3)  # XLNet's (D, H, d)
    theirs[1, 1, 2] = 5
    assert ours[5, 1] == 5
    fused = Fuse(("k", "v"), "kv.weight", view=lambda weight: weight.t().unflatten(1, (1, 3)))
    key, value = fused.views(ours)
    assert key.shape == value.shape == (4, 1, 3)
    value.fill_(7)
    assert ours[3:].eq(7).all()


def test_a_view_that_copies_is_refused() -> None:
    rule = Reshape("q", "q.weight", view=lambda weight: weight.t().reshape(-1))
    with pytest.raises(TypeError, match="view copies the parameter"):
        rule.views(torch.zeros(2, 3))
    with pytest.raises(TypeError, match="view copies the parameter"):
        rule.views(torch.zeros(2, 3, device="meta"))


def table(*rules: Rule, prefix: str = "bert.") -> WeightTable:
    return WeightTable(parts={"core": rules}, heads={"backbone": ("core",), "head": ("core",)}, prefix=prefix)


def test_old_spellings_and_a_missing_prefix() -> None:
    names = table(
        Rename("bert.layer.{i}.LayerNorm.{p}", "layers.{i}.norm.{p}"),
        Rename("cls.{p}", "head.{p}"),
        Legacy("{x}.LayerNorm.gamma", "{x}.LayerNorm.weight"),
        Legacy("{x}.layers_{i}.{p}", "{x}.layer.{i}.{p}"),
        Drop("bert.position_ids"),
    )
    assert names.present_names(["bert.layer.0.LayerNorm.gamma", "layer.1.LayerNorm.gamma"]) == {
        "bert.layer.0.LayerNorm.weight": "bert.layer.0.LayerNorm.gamma",
        "layer.1.LayerNorm.weight": "layer.1.LayerNorm.gamma",  # others carry the prefix, so this is no bare backbone
    }
    assert names.present_names(["layer.0.LayerNorm.gamma", "position_ids", "cls.weight", "strange"]) == {
        "bert.layer.0.LayerNorm.weight": "layer.0.LayerNorm.gamma",
        "bert.position_ids": "position_ids",
        "cls.weight": "cls.weight",
        "strange": "strange",
    }
    both = table(Rename("bert.cls.{p}", "a.{p}"), Rename("cls.{p}", "b.{p}"), Rename("bert.c", "c"))
    assert both.present_names(["cls.w", "c"]) == {"cls.w": "cls.w", "bert.c": "c"}  # a known name is left as it is
    with pytest.raises(CheckpointError, match=r"two spellings of one name"):
        names.present_names(["bert.layer.0.LayerNorm.gamma", "bert.layer.0.LayerNorm.weight"])
    assert names.stored_name("head", "bert.layer.0.LayerNorm.bias") == "bert.layer.0.LayerNorm.bias"
    assert names.stored_name("backbone", "bert.layer.0.LayerNorm.bias") == "layer.0.LayerNorm.bias"


def test_check_accepts_names_with_exactly_one_reversible_rule() -> None:
    norm = Rename("bert.layer.{i}.norm.{p}", "layers.{i}.norm.{p}")
    fuse = Fuse(("bert.layer.{i}.q.{p}", "bert.layer.{i}.k.{p}"), "layers.{i}.qk.{p}")
    unused = Rename("bert.pooler.{p}", "pooler.{p}")
    names = ["layers.0.norm.weight", "layers.0.qk.weight", "layers.12.qk.bias"]
    used = table(norm, fuse, unused, Drop("bert.position_ids"), Same("bert.second.{p}", "bert.layer.0.norm.{p}")).check(
        "head", names
    )
    assert used == {norm, fuse}


@pytest.mark.parametrize(
    ("rules", "names", "fault"),
    [
        ([Rename("bert.a", "a")], ["a", "b"], "b: has 0 rules"),
        ([Rename("bert.a.{p}", "a.{p}"), Rename("bert.b.{p}", "a.{p}")], ["a.w"], "a.w: has 2 rules"),
        ([Rename("bert.w", "a"), Rename("bert.w", "b")], ["a", "b"], "b: bert.w is also needed by a"),
        (
            [Rename("bert.{p}", "a.{p}"), Rename("bert.w", "b")],
            ["a.x", "b"],
            "b: bert.w does not lead back to it alone",
        ),
        ([Fuse(("bert.w", "bert.w"), "a")], ["a"], "a: bert.w is also needed by a"),
        ([Rename("bert.w", "a"), Drop("{x}.w")], ["a"], "a: bert.w does not lead back to it alone"),
        ([Rename("bert.w", "a"), Same("bert.w", "bert.v")], ["a"], "a: bert.w does not lead back to it alone"),
        ([Rename("bert.n.gamma", "a"), Legacy("{x}.gamma", "{x}.weight")], ["a"], "a: bert.n.gamma reads as an old"),
        ([Rename("bert.w", "a"), Rename("w", "b")], ["a", "b"], "a: bert.w without its prefix bert. is another"),
    ],
)
def test_check_names_every_fault(rules: list[Rule], names: list[str], fault: str) -> None:
    with pytest.raises(ValueError, match="the rules for head 'head' are not reversible") as caught:
        table(*rules).check("head", names)
    assert fault in str(caught.value)


def test_a_name_with_two_rules_is_refused_when_it_is_looked_up() -> None:
    rules = table(Rename("bert.{w}.weight", "ff.{w}.weight"), Rename("bert.layer_norm.weight", "ff.norm.weight"))
    assert rules.find("head", "ff.up.weight") is not None
    with pytest.raises(ValueError, match=r"ff\.norm\.weight has two rules"):
        rules.find("head", "ff.norm.weight")


def test_a_head_may_have_a_prefix_of_its_own() -> None:
    names = WeightTable(
        parts={"core": (Rename("bert.a.{p}", "a.{p}"), Rename("bert.b", "b")), "own": (Rename("cls.{p}", "head.{p}"),)},
        heads={"backbone": ("core",), "masked-lm": ("core", "own"), "reader": ("core", "own")},
        prefix="bert.",
        prefixes={"backbone": "", "reader": "encoder.model."},
    )
    assert names.check("reader", ["a.w", "b", "head.w"])
    stored = {"backbone": "a.w", "masked-lm": "bert.a.w", "reader": "encoder.model.a.w"}
    for head, name in stored.items():
        assert names.stored_name(head, "bert.a.w") == name
        assert names.stored_name(head, "cls.w") == "cls.w"
        assert names.present_names([name, "cls.w"]) == {"bert.a.w": name, "cls.w": "cls.w"}


def test_parts_that_give_a_name_to_different_tensors_exclude_each_other() -> None:
    rules = {
        "one": (Rename("classifier.{p}", "head.a.{p}"),),
        "other": (Rename("classifier.weight", "head.b"),),
        "third": (Rename("spans.{p}", "head.c.{p}"), Same("classifier.bias", "spans.bias")),
        "layers": (Rename("h.{i}.w", "layers.{i}.w"),),
        "queries": (Fuse(("h.{i}.w", "h.{i}.v"), "head.d.{i}"),),
    }
    assert WeightTable(parts=rules, heads={"backbone": ()}).exclusive == rules.keys() - {"third"}


def test_a_model_inside_another() -> None:
    inner = table(
        Rename("bert.a.{p}", "backbone.a.{p}"),
        Fuse(("bert.q", "bert.k"), "backbone.qk"),
        Drop("bert.position_ids"),
        Same("bert.b", "bert.a.b"),
        Legacy("{x}.gamma", "{x}.weight"),
        Legacy("bert.old.{p}", "bert.a.{p}"),
    )
    outer = WeightTable(
        parts={"text": inner.moved("backbone", theirs="mmbt.transformer.", ours="text."), "own": (Rename("w", "w"),)},
        heads={"backbone": ("text", "own")},
    )
    assert outer.check("backbone", ["text.backbone.a.x", "text.backbone.qk", "w"])
    assert outer.find("backbone", "text.backbone.qk") == (
        "text",
        Fuse(("mmbt.transformer.q", "mmbt.transformer.k"), "text.backbone.qk"),
        ("mmbt.transformer.q", "mmbt.transformer.k"),
    )
    assert list(outer.second_names("mmbt.transformer.a.b")) == ["mmbt.transformer.b"]
    assert outer.ignores("mmbt.transformer.position_ids")
    assert outer.present_names(["mmbt.transformer.old.x", "mmbt.transformer.a.gamma"]) == {
        "mmbt.transformer.a.x": "mmbt.transformer.old.x",
        "mmbt.transformer.a.weight": "mmbt.transformer.a.gamma",
    }


def test_a_table_names_parts_that_exist() -> None:
    with pytest.raises(ValueError, match="pooler"):
        WeightTable(parts={"core": ()}, heads={"backbone": ("core", "pooler")})
    with pytest.raises(ValueError, match="backbone"):
        WeightTable(parts={"core": ()}, heads={"head": ("core",)})
