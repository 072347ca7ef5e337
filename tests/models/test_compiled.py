"""What compiles a decoder finds the same in every one that remembers keys and values alone: one of ours is enough."""

from pathlib import Path

import pytest
import torch

import tfx_core
from tests.cases import case_of, readers_of_text
from tfx_core.model import Model
from tfx_testing.architectures.base import CaseChecks
from tfx_testing.architectures.compiling import (
    MOST,
    STEPS,
    Compiler,
    compiled_layers,
    has_keys_alone,
    layers_of,
    of_steps,
)
from tfx_testing.cases import ArchitectureCase
from tfx_testing.writers import prompts, writers, writing_model


def writer_with_a_cache() -> tuple[ArchitectureCase, Model]:
    """What else is remembered may have to be read, which ends a graph."""
    for case in (case_of(spec.name) for spec in readers_of_text()):
        for writer in writers(type("Writes", (CaseChecks,), {"case": case})):
            model = writing_model(case, writer)
            if writer.remembers and has_keys_alone(model, prompts(case, model)):
                return case, model
    raise LookupError("no decoder here remembers keys and values alone")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_frozen_layers_write_compiled_what_they_write_without(dtype: str, tmp_path: Path) -> None:
    case, plain = writer_with_a_cache()
    plain.save_pretrained(tmp_path)
    model = tfx_core.load_model(tmp_path, head=plain.head_name, dtype=dtype, frozen=True)
    inputs, search = prompts(case, model), of_steps(model)
    expected = model.generate(**inputs, **search)
    compiler = compiled_layers(model)
    assert torch.equal(model.generate(**inputs, **search), expected)
    assert compiler.calls >= STEPS * len(layers_of(model.backbone.text_writer))
    before = compiler.graphs
    assert torch.equal(model.generate(**inputs, **search), expected)
    assert compiler.graphs == before


def test_a_compiled_decoder_is_compiled_a_few_times() -> None:
    case, model = writer_with_a_cache()
    compiler, inputs, search = Compiler(), prompts(case, model), of_steps(model, num_beams=3)
    expected = model.generate(**inputs, **search)
    torch.compiler.reset()
    model.backbone.text_writer.compile(backend=compiler)
    for _ in range(2):
        assert torch.equal(model.generate(**inputs, **search), expected)
    assert compiler.calls == 2 * STEPS
    assert compiler.graphs <= MOST
