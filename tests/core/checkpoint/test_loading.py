"""From the tensors of a checkpoint to a module."""

import logging
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.core.checkpoint.tiny import TABLE, TIES, Tiny, build, fresh, load, weights
from tfx_core.checkpoint import (
    Computed,
    Fuse,
    Packing,
    Rename,
    Same,
    WeightTable,
    collect_weights,
    load_weights,
    open_folder,
    read_tensors,
)
from tfx_core.checkpoint.safetensors_format import write_safetensors
from tfx_core.checkpoint.unfilled import unfilled_modules
from tfx_core.errors import CheckpointError

HEADS = list(TABLE.heads)


def assert_loaded(module: Tiny, stored: dict[str, Tensor]) -> None:
    """Every rule by hand: what the model computes with is what the checkpoint says."""
    backbone = module.backbone
    assert torch.equal(backbone.embeddings.weight, stored["bert.embeddings.weight"])
    for i, layer in enumerate(backbone.layers):
        for p in ("weight", "bias"):
            fused = torch.cat([stored[f"bert.h.{i}.{name}.{p}"] for name in "qkv"])
            assert torch.equal(layer.get_parameter(f"qkv.{p}"), fused)
        assert torch.equal(layer.get_parameter("out.weight"), stored[f"bert.h.{i}.out.weight"].t())
        assert torch.equal(layer.get_parameter("out.bias"), stored[f"bert.h.{i}.out.bias"])
    assert torch.equal(backbone.r.weight, stored["bert.r"].flatten(1).t())
    assert torch.equal(backbone.norm.weight, stored["bert.norm.weight"])
    assert all(not tensor.is_meta for tensor in module.state_dict().values())


@pytest.mark.parametrize("head", HEADS)
def test_every_parameter_is_filled_from_its_tensor(tmp_path: Path, head: str, caplog: pytest.LogCaptureFixture) -> None:
    stored = weights(head)
    module = load(tmp_path, stored, head, stored_heads=(head,), ties=TIES if "decoder" in str(stored) else ())
    assert_loaded(module, stored)
    assert caplog.records == []
    for name, parameter in module.named_parameters():
        assert parameter.requires_grad, name
    if "final_logits_bias" in stored:
        assert torch.equal(module.head.logits_bias, stored["final_logits_bias"][0])
        assert not isinstance(module.head.logits_bias, nn.Parameter)


@pytest.mark.parametrize("head", HEADS)
def test_what_is_collected_for_saving_is_what_was_loaded(tmp_path: Path, head: str) -> None:
    stored = weights(head)
    module = load(tmp_path, stored, head)
    collected = collect_weights(module, TABLE, head=head)
    expected = {name.removeprefix("bert.") if head == "backbone" else name: tensor for name, tensor in stored.items()}
    assert collected.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(collected[name], tensor), name
    again = load(tmp_path, collected, head)  # the bare backbone's names lead back, too
    assert_loaded(again, stored)
    assert TABLE.check(head, module.state_dict())


def test_a_parameter_of_the_stored_type_is_the_mapped_file(tmp_path: Path) -> None:
    stored = weights("masked-lm")
    write_safetensors(tmp_path / "model.safetensors", stored)
    before = (tmp_path / "model.safetensors").read_bytes()
    tensors = read_tensors(open_folder(tmp_path))
    modules = [build("masked-lm"), build("masked-lm")]
    for module in modules:
        load_weights(module, tensors, TABLE, head="masked-lm")
    mapped = tensors["bert.embeddings.weight"]
    assert (mapped.start, mapped.start + mapped.nbytes) in mapped.file._mapped
    # training one leaves the other, and the file, alone
    with torch.no_grad():
        for parameter in modules[0].parameters():
            parameter.sub_(1)
    assert torch.equal(modules[0].backbone.embeddings.weight, stored["bert.embeddings.weight"] - 1)
    assert_loaded(modules[1], stored)
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_modules_are_packed_as_they_are_filled_unless_they_share_what_they_have(tmp_path: Path) -> None:
    stored = weights("pretraining")
    del stored["cls.decoder.weight"]
    write_safetensors(tmp_path / "model.safetensors", stored)
    tensors, module = read_tensors(open_folder(tmp_path)), build("pretraining")
    packed: dict[str, int] = {}

    def pack(name: str) -> None:
        layer = module.get_submodule(name)
        assert not any(each.is_meta for each in layer.parameters()), name
        packed[name] = sum(each.is_meta for each in module.parameters())

    names = [name for name, each in module.named_modules() if isinstance(each, nn.Linear)]
    types = {"backbone.embeddings.weight": torch.float16}
    load_weights(module, tensors, TABLE, head="pretraining", ties=TIES, packing=Packing(names, pack, types))
    assert [*packed] == [name for name in names if name != "head.decoder"]  # whose weight is that of the embeddings
    assert [*packed.values()] == sorted(packed.values(), reverse=True)
    assert len({*packed.values()}) == len(packed)
    assert module.head.decoder.weight is module.backbone.embeddings.weight
    assert module.backbone.embeddings.weight.dtype == torch.float16
    mapped = tensors["bert.pooler.weight"]
    assert (mapped.start, mapped.start + mapped.nbytes) not in mapped.file._mapped


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, None])
def test_floating_point_tensors_are_converted(tmp_path: Path, dtype: torch.dtype | None) -> None:
    stored = {name: tensor.half() for name, tensor in weights("backbone").items()}
    module = load(tmp_path, stored, "backbone", dtype=dtype)
    assert {parameter.dtype for parameter in module.parameters()} == {dtype or torch.float16}
    assert_loaded(module, {name: tensor.to(dtype or torch.float16) for name, tensor in stored.items()})


def test_a_bin_file_serves_as_well(tmp_path: Path) -> None:
    stored = weights("backbone")
    stored["bert.h.0.q.weight"] = stored["bert.h.0.q.weight"].t()  # a .bin keeps strides
    torch.save(stored, tmp_path / "pytorch_model.bin")
    module = build("backbone")
    load_weights(module, read_tensors(open_folder(tmp_path)), TABLE, head="backbone")
    assert_loaded(module, stored)


def test_old_spellings_constants_and_a_bare_backbone(tmp_path: Path) -> None:
    stored = weights("backbone")
    old = {name.removeprefix("bert."): tensor for name, tensor in stored.items()}
    old["norm.gamma"] = old.pop("norm.weight")
    old["embeddings.position_ids"] = torch.arange(7)
    module = load(tmp_path, old, "backbone")
    assert_loaded(module, stored)


def test_one_error_lists_everything_that_does_not_fit(tmp_path: Path) -> None:
    stored = weights("masked-lm")
    del stored["bert.norm.bias"], stored["bert.h.1.k.weight"]
    stored["bert.h.2.q.weight"] = torch.zeros(4, 4)
    stored["strange"] = torch.zeros(3)
    stored["bert.embeddings.weight"] = torch.zeros(8, 4)
    stored["bert.h.0.v.bias"] = torch.zeros(5)
    stored["bert.norm.weight"] = torch.zeros(4, dtype=torch.int64)
    stored["final_logits_bias"] = torch.zeros(7)
    with pytest.raises(CheckpointError) as caught:
        load(tmp_path, stored, "masked-lm", stored_heads=("masked-lm",))
    headline, *faults = str(caught.value).splitlines()
    assert headline == (
        "tiny: its tensors do not fit its config.json with head 'masked-lm' (8 faults); correct the config or choose "
        "another head:"
    )
    assert sorted(map(str.strip, faults)) == [
        "misshapen bert.embeddings.weight: is (8, 4), backbone.embeddings.weight needs (7, 4)",
        "misshapen bert.h.0.v.bias: is (5,), backbone.layers.0.qkv.bias needs (4,)",
        "misshapen final_logits_bias: is (7,), head.logits_bias needs (1, 7)",
        "missing bert.h.1.k.weight (4, 4), for backbone.layers.1.qkv.weight",
        "missing bert.norm.bias (4,), for backbone.norm.bias",
        "mistyped bert.norm.weight: is torch.int64, backbone.norm.weight needs torch.float32",
        "unexpected bert.h.2.q.weight (4, 4)",
        "unexpected strange (3,)",
    ]


def test_a_part_that_the_checkpoint_lacks_is_initialised_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stored = weights("masked-lm")
    module = load(tmp_path, stored, "sequence-classification", labels=3, stored_heads=("masked-lm",))
    assert_loaded(module, stored)
    new = ["backbone.pooler.weight", "backbone.pooler.bias", "head.classifier.weight", "head.classifier.bias"]
    assert fresh(module) == new
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.name == "tfx_core"
    assert record.getMessage() == (
        f"tiny: initialised afresh, for the checkpoint has no pooler, sequence-classifier: {', '.join(new)}"
    )


def test_initialising_cannot_overwrite_what_the_checkpoint_has(tmp_path: Path) -> None:
    stored = weights("backbone")
    seen: list[tuple[str, ...]] = []

    def fill_everything(module: nn.Module, names: Collection[str]) -> None:
        seen.append(tuple(sorted(names)))
        for parameter in module.parameters():  # as a careless function might do
            parameter.fill_(9)

    module = load(tmp_path, stored, "masked-lm", ties=TIES, stored_heads=("backbone",), initialise=fill_everything)
    assert_loaded(module, stored)
    assert seen == [("head.decoder.bias", "head.logits_bias")]
    assert module.head.decoder.weight is module.backbone.embeddings.weight


def test_a_fresh_part_has_type_and_device_of_the_rest(tmp_path: Path) -> None:
    stored = {name: tensor.half() for name, tensor in weights("backbone").items()}
    for dtype in (None, torch.float64):
        module = load(tmp_path, stored, "sequence-classification", dtype=dtype)
        assert {parameter.dtype for parameter in module.parameters()} == {dtype or torch.float16}


def test_without_a_way_to_initialise_a_missing_part_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"missing classifier\.weight \(2, 4\), for head\.classifier\.weight"):
        load(tmp_path, weights("backbone"), "sequence-classification", initialise=None)


def test_a_part_is_there_if_its_tensors_are_whatever_the_config_says(tmp_path: Path) -> None:
    # bert-base-uncased says BertForMaskedLM and has the pooler and the next-sentence classifier as well
    stored = weights("pretraining")
    for heads in (("masked-lm",), ("backbone",), ()):
        module = load(tmp_path, stored, "pretraining", stored_heads=heads)
        assert fresh(module) == []
        assert torch.equal(module.head.decoder.bias, stored["cls.bias"])


def test_a_classifier_for_another_task_is_not_taken_for_ones_own(tmp_path: Path) -> None:
    stored = weights("sequence-classification")
    module = load(tmp_path, stored, "token-classification", stored_heads=("sequence-classification",))
    assert fresh(module) == ["head.classifier.weight", "head.classifier.bias"]
    # without a word in the config, the names decide
    module = load(tmp_path, stored, "token-classification")
    assert torch.equal(module.get_parameter("head.classifier.weight"), stored["classifier.weight"])


def test_a_part_of_another_shape_is_an_error(tmp_path: Path) -> None:
    stored = weights("sequence-classification", labels=2)
    head = "sequence-classification"
    with pytest.raises(CheckpointError, match=r"misshapen classifier\.weight: is \(2, 4\), .* needs \(5, 4\)"):
        load(tmp_path, stored, head, labels=5, stored_heads=(head,))


def test_what_a_stored_head_should_have_is_not_initialised_in_silence(tmp_path: Path) -> None:
    stored = weights("backbone")
    with pytest.raises(CheckpointError, match=r"missing classifier\.bias"):
        load(tmp_path, stored, "sequence-classification", stored_heads=("sequence-classification",))
    partly = {name: tensor for name, tensor in weights("sequence-classification").items() if name != "classifier.bias"}
    with pytest.raises(CheckpointError, match=r"missing classifier\.bias"):
        load(tmp_path, partly, "sequence-classification")
    only_a_head = {name: tensor for name, tensor in weights("masked-lm").items() if not name.startswith("bert.")}
    with pytest.raises(CheckpointError, match=r"missing bert\.embeddings\.weight"):
        load(tmp_path, only_a_head, "masked-lm")


def test_an_optional_part_may_be_missing_from_the_very_head(tmp_path: Path) -> None:
    stored = {name: tensor for name, tensor in weights("backbone").items() if "pooler" not in name}
    module = load(tmp_path, stored, "backbone", stored_heads=("backbone",))
    assert fresh(module) == ["backbone.pooler.weight", "backbone.pooler.bias"]


@pytest.mark.parametrize(
    ("has", "tied"),
    [("embeddings", True), ("decoder", True), ("both, equal", True), ("both, different", False), ("neither", None)],
)
def test_the_checkpoint_decides_what_is_tied(tmp_path: Path, has: str, tied: bool | None) -> None:
    stored = weights("masked-lm")
    embeddings, decoder = stored.pop("bert.embeddings.weight"), stored.pop("cls.decoder.weight")
    if has != "decoder" and has != "neither":
        stored["bert.embeddings.weight"] = embeddings
    if has != "embeddings" and has != "neither":
        stored["cls.decoder.weight"] = decoder if has == "both, different" else embeddings
    if tied is None:
        with pytest.raises(CheckpointError, match=r"\(1 faults\).*\n  missing bert\.embeddings\.weight"):
            load(tmp_path, stored, "masked-lm", ties=TIES, stored_heads=("masked-lm",))
        return
    module = load(tmp_path, stored, "masked-lm", ties=TIES, stored_heads=("masked-lm",))
    one, other = module.head.decoder.weight, module.backbone.embeddings.weight
    assert (one is other) == tied
    assert torch.equal(other, embeddings)
    assert torch.equal(one, embeddings if tied else decoder)
    saved = collect_weights(module, TABLE, head="masked-lm", ties=TIES)
    assert "bert.embeddings.weight" in saved
    assert ("cls.decoder.weight" in saved) == (not tied)


def test_what_may_not_be_tied_is_missing(tmp_path: Path) -> None:
    stored = weights("masked-lm")
    del stored["cls.decoder.weight"]
    with pytest.raises(CheckpointError, match=r"missing cls\.decoder\.weight \(7, 4\)"):
        load(tmp_path, stored, "masked-lm", ties=(), stored_heads=("masked-lm",))


def test_a_second_name_for_one_tensor(tmp_path: Path) -> None:
    stored = weights("masked-lm")
    twice = {
        **stored,
        "bert.second.weight": stored["bert.embeddings.weight"].clone(),
        "cls.decoder.bias": stored["cls.bias"],
    }
    module = load(tmp_path, twice, "masked-lm")
    assert_loaded(module, stored)

    renamed = {**twice}
    del renamed["bert.embeddings.weight"], renamed["cls.bias"]
    module = load(tmp_path, renamed, "masked-lm")
    assert_loaded(module, stored)
    assert torch.equal(module.head.decoder.bias, stored["cls.bias"])

    twice["bert.second.weight"][0, 0] += 1
    with pytest.raises(CheckpointError, match=r"differing bert\.embeddings\.weight and bert\.second\.weight"):
        load(tmp_path, twice, "masked-lm")


def test_a_second_name_may_be_another_tensors(tmp_path: Path) -> None:
    rules = (Rename("a", "weight"), Same("b", "a", apart=True))
    table = WeightTable(parts={"core": rules}, heads={"backbone": ("core",)})
    one, two = torch.ones(2, 2), torch.zeros(2, 2)
    for stored, wanted in (({"a": one, "b": two}, one), ({"b": two}, two), ({"a": one}, one)):
        (tmp_path / "model.safetensors").unlink(missing_ok=True)
        write_safetensors(tmp_path / "model.safetensors", stored)
        with unfilled_modules():
            module = nn.Linear(2, 2, bias=False)
        load_weights(module, read_tensors(open_folder(tmp_path)), table, head="backbone")
        assert torch.equal(module.weight, wanted)


def test_what_is_computed_is_read_where_it_is_stored_and_else_made_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules = (Rename("a", "0.weight"), Computed("b", "1.weight"))
    table = WeightTable(parts={"core": rules}, heads={"backbone": ("core",)})
    stored = {"a": torch.zeros(2, 2), "b": torch.full((2, 2), 3.0)}
    for has, value in (("ab", 3.0), ("a", 1.0)):
        (tmp_path / "model.safetensors").unlink(missing_ok=True)
        write_safetensors(tmp_path / "model.safetensors", {name: stored[name] for name in has})
        with unfilled_modules():
            module = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))

        def fill(module: nn.Module, names: Collection[str]) -> None:
            assert {*names} == {"1.weight"}
            module.get_parameter("1.weight").fill_(1.0)

        load_weights(module, read_tensors(open_folder(tmp_path)), table, head="backbone", initialise=fill)
        assert bool((module.get_parameter("1.weight") == value).all())
        assert not caplog.records


def test_parts_of_unequal_size(tmp_path: Path) -> None:
    class Grouped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Linear(4, 8, device="meta")

    table = WeightTable(
        parts={"core": (Fuse(("q.{p}", "k.{p}", "v.{p}"), "qkv.{p}", sizes=(4, 2, 2)),)}, heads={"backbone": ("core",)}
    )
    sizes = {"q": 4, "k": 2, "v": 2}
    stored = {f"{name}.weight": torch.randn(size, 4) for name, size in sizes.items()}
    stored |= {f"{name}.bias": torch.randn(size) for name, size in sizes.items()}
    write_safetensors(tmp_path / "model.safetensors", stored)
    module = Grouped()
    load_weights(module, read_tensors(open_folder(tmp_path)), table, head="backbone")
    collected = collect_weights(module, table, head="backbone")
    assert all(torch.equal(collected[name], tensor) for name, tensor in stored.items())


def test_one_parameter_in_several_places_of_a_module(tmp_path: Path) -> None:
    def built() -> Tiny:
        module = build("backbone")
        module.alias = module.backbone.embeddings  # type: ignore[assignment]
        return module

    stored = weights("backbone")
    write_safetensors(tmp_path / "model.safetensors", stored)
    module = built()
    load_weights(module, read_tensors(open_folder(tmp_path)), TABLE, head="backbone")
    assert module.get_parameter("alias.weight") is module.backbone.embeddings.weight
    assert_loaded(module, stored)
    assert len(collect_weights(module, TABLE, head="backbone")) == len(stored)


def test_a_module_that_the_table_does_not_cover_is_the_authors_mistake(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", weights("backbone"))
    tensors = read_tensors(open_folder(tmp_path))
    module = build("backbone")
    module.extra = nn.Linear(2, 2, device="meta")  # type: ignore[assignment]
    with pytest.raises(ValueError, match=r"extra\.weight has 0 rules; extra\.bias has 0 rules"):
        load_weights(module, tensors, TABLE, head="backbone")
    with pytest.raises(ValueError, match=r"no rule with head 'backbone' for extra\.weight, extra\.bias"):
        collect_weights(module, TABLE, head="backbone")
    module = build("backbone")
    module.register_buffer("angles", torch.zeros(3), persistent=False)
    with pytest.raises(ValueError, match="angles"):
        load_weights(module, tensors, TABLE, head="backbone")
    with pytest.raises(ValueError, match="build the module on the meta device"):
        load_weights(Tiny("backbone"), tensors, TABLE, head="backbone")
    tied = build("masked-lm")
    tied.head.decoder.weight = tied.backbone.embeddings.weight
    with pytest.raises(ValueError, match="has 2 rules"):
        load_weights(tied, tensors, TABLE, head="masked-lm")


def test_building_without_values_leaves_other_tensors_alone() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 3)
            self.count = torch.zeros(2, device="cpu").fill_(4).sum().item()
            nn.init.normal_(tensor=self.linear.weight)

    with unfilled_modules():
        module = Counting()
    assert module.linear.weight.is_meta
    assert module.count == 8
    assert not torch.zeros(1).is_meta


MEASURE = """
import sys, pathlib, torch
from torch import nn
from tfx_core.checkpoint import Fuse, Packing, Rename, WeightTable, load_weights, open_folder, read_tensors
from tfx_core.checkpoint.unfilled import unfilled_modules

def peak():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024

def load(dtype, packed=()):
    with unfilled_modules():
        module = nn.ModuleDict({"qkv": nn.Linear(1024, 3072, bias=False), "e": nn.Embedding(13312, 1024)})
    packing = Packing(packed, lambda name: module.get_submodule(name)._parameters.clear(), {})
    load_weights(module, read_tensors(open_folder(sys.argv[1])), table, head="backbone", dtype=dtype, packing=packing)
    return module

table = WeightTable(
    parts={"core": (Fuse(("q", "k", "v"), "qkv.weight"), Rename("e", "e.weight"))}, heads={"backbone": ("core",)}
)
torch.empty(1, dtype=torch.bfloat16).copy_(torch.ones(1))
start = peak()
load(None)
mapped = peak()
load(torch.bfloat16)
converted = peak()
held = [entry.load().clone() for entry in read_tensors(open_folder(sys.argv[1])).values()]
print(mapped - start, converted - start, peak() - start)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read where Linux tells it")
def test_loading_holds_nothing_twice(tmp_path: Path) -> None:
    stored = {name: torch.zeros(1024, 1024) for name in "qkv"} | {"e": torch.zeros(13312, 1024)}  # 12 MiB and 52 MiB
    write_safetensors(tmp_path / "model.safetensors", stored)
    done = subprocess.run([sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, check=True)
    mapped, converted, copied = map(int, done.stdout.split())
    slack = 20  # what torch itself takes for its first work
    assert mapped < 12 + slack  # the fused matrix is copied, the embeddings stay in the file
    assert converted < 32 + slack  # everything in half the size
    assert copied > 64 - 1  # that a second copy would be seen
