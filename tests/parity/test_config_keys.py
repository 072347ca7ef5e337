"""Keys of ``config.json``: with any that the reference reads, outputs are as there, or the folder is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import tfx_core
from tests.cases import case_of, readers_of_text
from tests.parity.test_models import compare, flat, uncached
from tfx_core.errors import ConfigError
from tfx_core.model import load_architecture
from tfx_core.model.known_keys import INERT_KEYS
from tfx_core.plugins import ArchitectureSpec, registry
from tfx_testing.cases import Variant
from tfx_testing.parity.case import Case
from tfx_testing.parity.reference import read_reference, reference_model

ARCHITECTURES = [
    spec.name
    for spec in readers_of_text()
    if case_of(spec.name).reference is None
    and hasattr(transformers, next(cls for cls, head in spec.hf_classes.items() if head == "backbone"))
]
NOT_CHANGED = {
    *("return_dict", "torchscript", "add_cross_attention", "untie_r", "bi_data", "tie_word_embeddings"),
    *("asm", "use_lang_emb", "axial_pos_embds", "share_encoder_decoder_embeddings"),
}
"""Those that make the reference answer in tuples, and those that ask for other tensors or inputs (see tests/cases)."""


def case_with(model_type: str, **changes: Any) -> Case:
    first = case_of(model_type).variants[0]
    return Case(case_of(model_type), Variant("changed", {**first.changes, **changes}, patch=first.patch), "backbone")


def changed_keys() -> list[tuple[str, str, Any]]:
    """Every switch and every number with a fraction of the reference's config, with another value."""
    found: list[tuple[str, str, Any]] = []
    for name in ARCHITECTURES:
        spec = registry.find(ArchitectureSpec, name)
        cls = getattr(transformers, next(cls for cls, head in spec.hf_classes.items() if head == "backbone"))
        for key, value in sorted(cls.config_class().to_dict().items()):
            if isinstance(value, bool | float) and key not in NOT_CHANGED:
                found.append((name, key, (not value) if isinstance(value, bool) else 0.25))
    return found


@pytest.mark.parametrize(("name", "key", "value"), changed_keys())
def test_a_changed_key_gives_the_references_outputs_or_is_refused(
    name: str, key: str, value: Any, tmp_path: Path
) -> None:
    case = case_with(name, **{key: value})
    reference_model(case_with(name)).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), key: value}), encoding="utf-8")
    try:
        model = tfx_core.load_model(tmp_path)
    except ConfigError as error:
        assert f"{key}=" in str(error)  # noqa: PT017
        return
    inputs = case.inputs(labels=False)
    with torch.no_grad():
        reference, _ = read_reference(case, tmp_path)
        theirs, ours = reference(**inputs, **uncached(reference)), dict(flat(model(**inputs)))
    compare("last_hidden_state", ours["last_hidden_state"], dict(flat(theirs))["last_hidden_state"])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_file_without_a_key_that_came_later_has_the_references_default(name: str) -> None:
    classes, config = registry.find(ArchitectureSpec, name).hf_classes, load_architecture(name).config
    theirs = getattr(transformers, next(cls for cls, head in classes.items() if head == "backbone")).config_class
    complete = json.loads(theirs().to_json_string(use_diff=False))
    assert config.from_dict({"model_type": name}) == config()
    for key in (None, *(key for key in complete if key != "model_type")):
        file = {each: value for each, value in complete.items() if each != key}
        ours = config.from_dict(file).to_dict()
        its = json.loads(theirs.from_dict(file).to_json_string(use_diff=False))
        names = {each: config.aliases.get(each, each) for each in its if each not in ("architectures", "label2id")}
        found = {each: ours[name] for each, name in names.items() if name in ours}
        assert found == {each: its[each] for each in found}, key


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_keys_that_are_declared_without_effect_have_none(name: str, tmp_path: Path) -> None:
    case = case_with(name)
    reference = reference_model(case)
    reference.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    written = json.loads(path.read_text("utf-8"))
    inert = {*INERT_KEYS, *load_architecture(name).config.inert_keys} - {
        *written,
        *load_architecture(name).config.aliases,
        *load_architecture(name).config.field_names(),
    }
    path.write_text(json.dumps({**written, **dict.fromkeys(inert - {"label2id"}, True)}), encoding="utf-8")
    inputs = case.inputs(labels=False)
    with torch.no_grad():
        theirs, ours = reference(**inputs, **uncached(reference)), dict(flat(tfx_core.load_model(tmp_path)(**inputs)))
    compare("last_hidden_state", ours["last_hidden_state"], dict(flat(theirs))["last_hidden_state"])
