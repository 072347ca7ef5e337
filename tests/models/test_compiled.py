"""Models of which a part is compiled: it is what computes, in a call and in `generate`, and is compiled a few times.

What compiles counts: nothing is made faster here.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tfx_core
from tests.cases import readers_of_text
from tests.models.test_frozen import frozen
from tests.models.test_generation import GENERATORS, prompts, start
from tests.models.tiny import perturbed, random_ids, target_ids, texts_differ, tiny_config
from tfx_core.generation.state import DecodingState
from tfx_core.model import Model
from tfx_core.model.causal_decoding import CausalDecoding
from tfx_core.nn import KeyValueCache, Stack

WRITERS = {model_type: (head, changes) for model_type, head, changes in reversed(GENERATORS)}
"""One head of every architecture that generates."""
STEPS = 12
MOST = 6
"""Compilations of a kind of layer: as it reads, as it writes after one token and after several, and as beams are made;
and once more where the first layer is given what is laid out in another way.
"""


class Compiler:
    """A backend that compiles nothing, and counts."""

    def __init__(self) -> None:
        self.graphs = self.calls = 0

    def __call__(self, graph: torch.fx.GraphModule, inputs: Sequence[Tensor]) -> Callable[..., Any]:
        self.graphs += 1

        def run(*given: Any) -> Any:
            self.calls += 1
            return graph(*given)

        return run


def layers_of(model: nn.Module) -> list[nn.Module]:
    """Those of all stacks, each once."""
    found = (layer for stack in model.modules() if isinstance(stack, Stack) for layer in stack.layers)
    return list(dict.fromkeys(found))


def kinds(layers: Sequence[nn.Module]) -> int:
    """How many of them are of different parts or sizes."""
    return len({repr(each) for each in layers})


def compiled_layers(model: Model) -> Compiler:
    compiler = Compiler()
    torch.compiler.reset()
    for layer in layers_of(model):
        layer.compile(backend=compiler)
    return compiler


def writer(model_type: str) -> Model:
    head, changes = WRITERS[model_type]
    made = tfx_core.new_model(model_type, head=head, seed=1, **{**tiny_config(model_type), **changes}).eval()
    return perturbed(made, 2, texts_differ)


def writer_with_a_cache() -> Model:
    """Of the first architecture here whose decoder is called for each token and remembers keys and values alone.

    What else is remembered may have to be read, which ends a graph.
    """
    return next(each for each in map(writer, WRITERS) if has_keys_alone(each))


def has_keys_alone(model: Model) -> bool:
    if not isinstance(start_of(model), CausalDecoding):
        return False
    return all(isinstance(layer, KeyValueCache) for layer in model.backbone.text_writer.new_cache().layers)


def start_of(model: Model) -> DecodingState:
    assert model.architecture.decoding is not None
    return model.architecture.decoding(model, prompts(model))


def options(model: Model, **others: Any) -> dict[str, Any]:
    lengths = {"min_new_tokens": STEPS, "max_new_tokens": STEPS}
    return {**lengths, "pad_token_id": 0, "decoder_start_token_id": start(model), **others}


@pytest.mark.parametrize("model_type", WRITERS)
def test_compiled_layers_write_and_are_compiled_a_few_times(model_type: str) -> None:
    model = writer(model_type)
    inputs = prompts(model)
    searches = [options(model), options(model, num_beams=3)]
    expected = [model.generate(**inputs, **each) for each in searches]
    compiler = compiled_layers(model)  # of a model that has written already
    for search, text in zip(searches, expected, strict=True):
        before = compiler.calls
        assert torch.equal(model.generate(**inputs, **search), text)
        assert compiler.calls - before >= STEPS * len(layers_of(model.backbone.text_writer))
    assert compiler.graphs <= MOST * kinds(layers_of(model))
    before = compiler.graphs
    for search, text in zip(searches, expected, strict=True):
        assert torch.equal(model.generate(**inputs, **search), text)
    assert compiler.graphs == before


@pytest.mark.parametrize("model_type", [spec.name for spec in readers_of_text()])
def test_compiled_layers_read_and_are_compiled_a_few_times(model_type: str) -> None:
    model = perturbed(tfx_core.new_model(model_type, seed=1, **tiny_config(model_type)).eval(), 2, 0.1)
    shapes = [(2, 6), (3, 8), (4, 7)]
    batches = [
        {"input_ids": random_ids(model_type, *shape), **target_ids(model_type, "backbone", shape[0])}
        for shape in shapes
    ]
    with torch.no_grad():
        expected = [model(**inputs).last_hidden_state for inputs in batches]
        compiler = compiled_layers(model)
        for inputs, states in zip(batches, expected, strict=True):
            torch.testing.assert_close(model(**inputs).last_hidden_state, states)
    assert 0 < compiler.graphs <= MOST * kinds(layers_of(model))
    assert compiler.calls >= len(batches) * len(layers_of(model))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_frozen_layers_write_compiled_what_they_write_without(dtype: str, tmp_path: Path) -> None:
    model = frozen(writer_with_a_cache(), dtype, tmp_path)
    inputs, search = prompts(model), options(model)
    expected = model.generate(**inputs, **search)
    compiler = compiled_layers(model)
    assert torch.equal(model.generate(**inputs, **search), expected)
    assert compiler.calls >= STEPS * len(layers_of(model.backbone.text_writer))
    before = compiler.graphs
    assert torch.equal(model.generate(**inputs, **search), expected)
    assert compiler.graphs == before


def test_a_compiled_decoder_is_compiled_a_few_times() -> None:
    model, compiler = writer_with_a_cache(), Compiler()
    inputs, search = prompts(model), options(model, num_beams=3)
    expected = model.generate(**inputs, **search)
    torch.compiler.reset()
    model.backbone.text_writer.compile(backend=compiler)
    for _ in range(2):
        assert torch.equal(model.generate(**inputs, **search), expected)
    assert compiler.calls == 2 * STEPS
    assert compiler.graphs <= MOST
