"""Prompts of vectors, with ids and without, and an encoder's output given: the reference's tokens."""

from pathlib import Path
from typing import Any

import pytest
import torch

import tfx_core
from tests.parity import generation_reference

PLAIN = {"pad_token_id": 0, "eos_token_id": 2}
LENGTHS: dict[str, dict[str, Any]] = {"new": {"max_new_tokens": 5}, "in all": {"max_length": 9}}


@pytest.mark.parametrize("name", LENGTHS)
@pytest.mark.parametrize("known", [None, 0, 6], ids=["without ids", "empty ids", "with ids"])
@pytest.mark.parametrize("beams", [1, 3])
def test_vectors_of_a_decoder(known: int | None, name: str, beams: int, tmp_path: Path) -> None:
    reference = generation_reference.causal_model(seed=3)
    reference.save_pretrained(tmp_path)
    model = tfx_core.load_model(tmp_path)
    ids = generation_reference.prompts(1, 2)
    vectors = model.backbone.embed(ids).detach()
    given = {} if known is None else {"input_ids": ids[:, :known]}
    options = {**PLAIN, **LENGTHS[name], **given, "num_beams": beams, "inputs_embeds": vectors}
    assert model.generate(**options).tolist() == reference.generate(**options).tolist()


@pytest.mark.parametrize("kind", ["bart_model", "t5_model"])
@pytest.mark.parametrize("beams", [1, 3])
def test_what_an_encoder_gave(kind: str, beams: int, tmp_path: Path) -> None:
    reference = getattr(generation_reference, kind)(seed=3)
    reference.save_pretrained(tmp_path)
    model = tfx_core.load_model(tmp_path)
    ids = generation_reference.prompts(1, 2)
    with torch.no_grad():
        theirs, ours = reference.get_encoder()(ids), model.get_encoder()(ids)
    options = {**PLAIN, "max_new_tokens": 6, "num_beams": beams}
    expected = reference.generate(ids, **options).tolist()
    for encoded in (ours, theirs, (ours[0],)):
        assert model.generate(encoder_outputs=encoded, **options).tolist() == expected
    vectors = model.backbone.embed(ids).detach()
    assert model.generate(inputs_embeds=vectors, **options).tolist() == expected
