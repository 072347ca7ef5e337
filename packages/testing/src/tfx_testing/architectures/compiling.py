"""Models of which a part is compiled: it is what computes, in a call and in `generate`, and is compiled a few times.

What compiles counts: nothing is made faster here.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tfx_core.model import CausalDecoding, Model
from tfx_core.nn import KeyValueCache, Stack
from tfx_testing.architectures.base import CaseChecks
from tfx_testing.cases import Inputs
from tfx_testing.checks import each
from tfx_testing.comparing import close
from tfx_testing.inputs import real_places, same
from tfx_testing.results import padded_texts
from tfx_testing.tiny import random_ids, target_ids, tiny_model
from tfx_testing.writers import Writer, decoding, one_writer, prompts, start, writing_model

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
        """The graph itself."""
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
    """What counts, of a model whose layers are compiled from now on."""
    compiler = Compiler()
    torch.compiler.reset()
    for layer in layers_of(model):
        layer.compile(backend=compiler)
    return compiler


def has_keys_alone(model: Model, inputs: dict[str, Tensor]) -> bool:
    """Whether its decoder is called for each token and remembers keys and values alone.

    What else is remembered may have to be read, which ends a graph.
    """
    if not isinstance(decoding(model, inputs), CausalDecoding):
        return False
    decoder: Any = model.backbone.text_writer
    return all(isinstance(layer, KeyValueCache) for layer in decoder.new_cache().layers)


def of_steps(model: Model, **others: Any) -> dict[str, Any]:
    """Options of a text of `STEPS` tokens."""
    lengths = {"min_new_tokens": STEPS, "max_new_tokens": STEPS}
    return {**lengths, "pad_token_id": 0, "decoder_start_token_id": start(model), **others}


class CompilingChecks(CaseChecks):
    """`torch.compile` of layers and of backbones."""

    def test_a_backbone_is_compiled_as_one_graph(self) -> None:
        """`torch.compile(model, fullgraph=True)` compiles a backbone, and gives what it gives without.

        Where it does not: a forward decides by the numbers in a tensor, or calls what cannot be traced; one whose
        computation really depends on its ids says ``one_graph=False`` in its case.
        """
        case = self.case
        model, (ids, mask) = tiny_model(case, "backbone"), padded_texts(case, "right")
        inputs: Inputs = {"input_ids": ids, "attention_mask": mask, **target_ids(case, "backbone", len(ids))}
        with torch.no_grad():
            expected = model(**inputs)
            torch.compiler.reset()
            compiled: Any = torch.compile(model, backend="eager", fullgraph=case.one_graph)
            found = compiled(**inputs)
        same(found.values(), expected.values(), real_places(expected, mask), "compiled, beside the model itself")

    def test_compiled_layers_read_and_are_compiled_a_few_times(self) -> None:
        """Batches of several shapes need few compilations, and give the same states.

        Where they need more: a layer's Python values change from call to call, such as a length, a counter or a layer's
        number, and each is compiled into a graph of its own.
        """
        case, model = self.case, tiny_model(self.case, "backbone")
        batches = [
            {"input_ids": random_ids(case, *shape), **target_ids(case, "backbone", shape[0])}
            for shape in ((2, 6), (3, 8), (4, 7))
        ]
        with torch.no_grad():
            expected = [model(**inputs).last_hidden_state for inputs in batches]
            compiler = compiled_layers(model)
            for inputs, states in zip(batches, expected, strict=True):
                close(model(**inputs).last_hidden_state, states, "states of compiled layers, beside plain ones")
        most, layers = MOST * kinds(layers_of(model)), layers_of(model)
        assert layers, "the backbone has no tfx_core.nn.Stack of layers"
        assert compiler.graphs <= most, f"{compiler.graphs} graphs of three shapes, of {kinds(layers)} kinds of layers"
        assert compiler.calls >= len(batches) * len(layers), f"{compiler.calls} calls of {len(layers)} layers"

    @each(writer=one_writer)
    def test_compiled_layers_write_and_are_compiled_a_few_times(self, writer: Writer) -> None:
        """Compiled layers write the same texts, step by step, and need few compilations for all steps.

        Where they need more: the length of what is remembered is a Python number that changes with each token.
        """
        model = writing_model(self.case, writer)
        inputs = prompts(self.case, model)
        searches = [of_steps(model), of_steps(model, num_beams=3)]
        expected = [model.generate(**inputs, **search).tolist() for search in searches]
        compiler = compiled_layers(model)  # of a model that has written already
        writing = len(layers_of(model.backbone.text_writer or model.backbone))
        for search, text in zip(searches, expected, strict=True):
            before = compiler.calls
            assert model.generate(**inputs, **search).tolist() == text, "compiled layers write another text"
            calls = compiler.calls - before
            assert calls >= STEPS * writing, f"{calls} calls of graphs in {STEPS} steps of {writing} layers"
        most, found = MOST * kinds(layers_of(model)), compiler.graphs
        assert found <= most, f"{found} graphs were compiled, at most {most} should be"
        for search, text in zip(searches, expected, strict=True):
            assert model.generate(**inputs, **search).tolist() == text, "compiled layers write another text again"
        assert compiler.graphs == found, f"{compiler.graphs - found} more graphs for texts that were written before"
