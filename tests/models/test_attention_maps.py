"""What a page shows of attention is what a call reports, of every architecture that is installed."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.cases import case_of, readers_of_text
from tests.core.attention_pages import off_by_at_most_a_level, shown
from tests.models.released import released
from tests.models.tiny import perturbed, tiny_config
from tfx_core.attention import AttentionMap, attention_maps, attention_page
from tfx_core.errors import InputError
from tfx_core.model import Model
from tfx_core.text import Tokenizer

TEXT, TARGET = "hello abc ab hello world", "abc hello"
NAMES = [spec.name for spec in readers_of_text() if case_of(spec.name).released()]
WRITING = "conditional-generation"


def made(name: str, folder: Path, head: str | None = None, **changes: Any) -> tuple[Model, Tokenizer]:
    """A model that takes the tokens of its family's tokenizer, and that."""
    case, tokenizer = case_of(name), tfx_core.load_tokenizer(released(name, folder))
    size = max(len(tokenizer), case.tiny["vocab_size"])
    sizes = {**tiny_config(name), "vocab_size": size, **case.goes_with("vocab_size", size), **changes}
    head = head or (WRITING if case.target_heads else "backbone")
    return perturbed(tfx_core.new_model(name, head=head, seed=1, **sizes).eval(), 2, 0.1), tokenizer


def target_of(name: str, tokenizer: Tokenizer) -> dict[str, Any]:
    """What `attention_maps` is told of a target, where the architecture reads one."""
    if not case_of(name).target_heads:
        return {}
    languages = tokenizer.languages
    return {"target": TARGET, **({"src_lang": languages[0], "tgt_lang": languages[1]} if languages else {})}


def reported(model: Model, tokenizer: Tokenizer, target: dict[str, Any]) -> dict[str, Any]:
    """What a call reports of the same text."""
    languages = {name: value for name, value in target.items() if name != "target"}
    batch = tokenizer(TEXT, return_tensors="pt", **languages)
    inputs = {name: value for name, value in batch.items() if name in model.input_names}
    if target:
        assert model.head.targets is not None
        labels = tokenizer(text_target=TARGET, return_tensors="pt", **languages)["input_ids"]
        inputs["decoder_input_ids"] = model.head.targets(labels)
    with torch.no_grad():
        output = model(**inputs, output_attentions=True)
    return {name: value for name, value in output.items() if name.endswith("attentions")}


def expected(name: str, reports: dict[str, Any], model: Model) -> dict[str, list[Tensor]]:
    """The same by the names that the maps have for it, ``(H, T, S)`` for each layer."""
    plain = "decoder" if model.backbone.causal else "encoder"
    found: dict[str, list[Tensor]] = {}
    for key, layers in reports.items():
        side = {"attentions": plain}.get(key) or key.removesuffix("_attentions").replace("_", " ")
        for layer in layers:
            if layer.dim() == 5:
                for number, stream in enumerate(layer[0], 1):
                    found.setdefault(f"{side} {number}", []).append(stream)
                continue
            streams = layer[0].chunk(3, dim=1) if side == "cross" and "prophetnet" in name else (layer[0],)
            for number, stream in enumerate(streams):
                found.setdefault(f"{side} {number}" if number else side, []).append(stream)
    return found


def layers_of(name: str, folder: Path, **options: Any) -> list[AttentionMap]:
    model, tokenizer = made(name, folder)
    return [
        each
        for side in attention_maps(model, tokenizer, TEXT, **target_of(name, tokenizer), **options).sides
        for each in side.layers
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_what_a_call_reports(name: str, tmp_path: Path) -> None:
    model, tokenizer = made(name, tmp_path)
    target = target_of(name, tokenizer)
    maps = attention_maps(model, tokenizer, TEXT, **target)
    page = {side.name: side for side in shown(attention_page(maps))}
    assert list(page) == [side.name for side in maps.sides]
    if not case_of(name).weights_by_key:
        return  # its own test knows where its columns are
    wanted = expected(name, reported(model, tokenizer, target), model)
    assert wanted.keys() == page.keys()
    for side in maps.sides:
        for ours, theirs, seen in zip(side.layers, wanted[side.name], page[side.name].weights, strict=True):
            torch.testing.assert_close(ours.weights, theirs)
            assert off_by_at_most_a_level(seen, theirs)


@pytest.mark.parametrize("name", NAMES)
def test_weights_sum_to_one_over_what_may_be_seen(name: str, tmp_path: Path) -> None:
    for layer in layers_of(name, tmp_path):
        torch.testing.assert_close(layer.weights.sum(-1), torch.ones(layer.weights.shape[:2]), atol=1e-5, rtol=0)
        assert not layer.weights[~layer.allowed].any()
        assert (len(layer.rows), len(layer.columns)) == layer.weights.shape[1:]
        rows, columns = layer.weights.shape[1:]
        others = layer.allowed & ~torch.eye(rows, columns, dtype=torch.bool)  # Reformer's tokens hardly see themselves
        assert layer.weights[others].gt(0).all()  # else what is hidden would not have been known


@pytest.mark.parametrize("name", [name for name in NAMES if case_of(name).patterns])
def test_a_pattern_is_told_from_what_has_no_weight(name: str, tmp_path: Path) -> None:
    model, tokenizer = made(name, tmp_path)
    target = target_of(name, tokenizer)
    maps = attention_maps(model, tokenizer, TEXT, attention="global(1, first=1)", **target)
    assert maps.attention == "global(1, first=1)"
    for side, plain in zip(maps.sides, attention_maps(model, tokenizer, TEXT, **target).sides, strict=True):
        if side.name not in ("encoder", "decoder"):
            continue
        for layer, unbounded in zip(side.layers, plain.layers, strict=True):
            if len(layer.rows) == len(layer.columns):
                far = (torch.arange(len(layer.rows))[:, None] - torch.arange(len(layer.rows))).abs() > 1
                far[0] = far[:, 0] = False
                assert not layer.allowed[:, far].any()
            assert not layer.weights[~layer.allowed].any()
            seen = bool(layer.allowed[:, :, 0].all())
            assert seen == bool(unbounded.allowed[:, :, 0].all())  # what has bounds of its own may not see so far
            assert [place for place, column in enumerate(layer.columns) if column.is_global] == [0] * seen
            assert layer.rows[0].is_global == (seen and len(layer.rows) == len(layer.columns))


@pytest.mark.parametrize("name", [name for name in NAMES if case_of(name).target_heads] or [None])
def test_without_a_target_the_decoder_reads_what_the_model_writes(name: str | None, tmp_path: Path) -> None:
    if name is None:
        return
    model, tokenizer = made(name, tmp_path)
    languages = {key: value for key, value in target_of(name, tokenizer).items() if key != "target"}
    maps = attention_maps(model, tokenizer, TEXT, **languages, max_tokens=12)
    assert maps.written
    batch = tokenizer(TEXT, return_tensors="pt", truncation=True, max_length=12, **languages)
    options = {} if not languages else tokenizer.asking_for(languages["tgt_lang"])
    inputs = {key: value for key, value in batch.items() if key in model.input_names}
    ids = model.generate(**inputs, max_new_tokens=12, do_sample=False, num_beams=1, **options)
    cross = next(side for side in maps.sides if side.name == "cross")
    assert {len(layer.rows) for layer in cross.layers} == {ids.shape[1] - 1}
    assert {len(layer.columns) for layer in cross.layers} == {inputs["input_ids"].shape[1]}


@pytest.mark.parametrize("name", [name for name in NAMES if not case_of(name).target_heads] or [None])
def test_a_target_is_refused_where_nothing_reads_one(name: str | None, tmp_path: Path) -> None:
    if name is None:
        return
    model, tokenizer = made(name, tmp_path)
    with pytest.raises(InputError, match=rf"^target: a {name} model with the head 'backbone' has no decoder that"):
        attention_maps(model, tokenizer, TEXT, target=TARGET)


@pytest.mark.parametrize("name", NAMES)
def test_text_that_cannot_be_shown_is_refused(name: str, tmp_path: Path) -> None:
    model, tokenizer = made(name, tmp_path)
    options = target_of(name, tokenizer)
    for blank in ("", " \n"):
        with pytest.raises(InputError, match=r"^text: there is nothing in it to attend to$"):
            attention_maps(model, tokenizer, blank, **options)
    with pytest.raises(InputError, match=r"^text: \d+ tokens.*max_tokens=\d+"):
        attention_maps(model, tokenizer, "a " * 2000, **options)
    with pytest.raises(InputError, match=r"^max_tokens=0: must be"):
        attention_maps(model, tokenizer, TEXT, max_tokens=0, **options)
    cut = attention_maps(model, tokenizer, "a " * 2000, max_tokens=5, **options)
    assert all(len(layer.rows) <= 5 for side in cut.sides for layer in side.layers)
