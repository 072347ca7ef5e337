"""What looks into models and their outputs finds what it looks for: exporters, wrappers, hooks, copies."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils import _pytree as pytree
from torch.utils.checkpoint import checkpoint

from tfx_core.model import ModelOutput
from tfx_core.nn import Memory
from tfx_testing.architectures.base import CaseChecks, heads
from tfx_testing.checks import each
from tfx_testing.comparing import close
from tfx_testing.inputs import asked_of, inputs_of, real_places, same, total
from tfx_testing.tiny import random_ids, tiny_model

OF_SOME = {"language_head", "prepare_decoder_input_ids_from_labels"}
"""Attributes that models have with some heads alone."""


class OutputChecks(CaseChecks):
    """What a call gives, to all that take models apart."""

    @each(head=heads)
    def test_a_model_is_exported(self, head: str) -> None:
        """`torch.export.export` takes it, and what is exported gives the same output, of the same type and names.

        Where it does not: a forward decides by the numbers in a tensor (``.item()``, ``if mask.all()``), which
        `tfx_core.nn.can_read` tells not to; or it writes to attributes of modules.
        """
        model, inputs = tiny_model(self.case, head), inputs_of(self.case, head, labels=False)
        # what is exported strictly is read from the code itself: that takes its time, and is alike for all heads
        for strict in (False, True) if head == "backbone" else (False,):
            with torch.no_grad():
                program = torch.export.export(model, (), inputs, strict=strict)
                expected, found = model(**inputs), program.module()(**inputs)
            assert type(found) is type(expected), f"exported, a call gives a {type(found).__name__}"
            assert list(found) == list(expected), "exported, an output has other names"
            real = real_places(expected, inputs["attention_mask"])
            same(found.values(), expected.values(), real, f"exported with strict={strict}, beside the model")

    @pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
    def test_a_model_is_traced_whatever_is_padding(self) -> None:
        """A trace of a batch without padding reads one with padding.

        Where it does not: the mask was looked at while tracing, and what was found became part of the trace.
        """
        case = self.case
        model, names = tiny_model(case, "backbone"), ("input_ids", "attention_mask", "decoder_input_ids")

        class States(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.model = model

            def forward(self, *given: Tensor) -> Tensor:
                states: Tensor = self.model(**dict(zip(names, given, strict=False)), return_dict=False)[0]
                return states

        target = [random_ids(case, 3, 5)] if "decoder_input_ids" in model.input_names else []
        traced: Any = torch.jit.trace(States(), (random_ids(case, 3, 5), torch.ones(3, 5), *target), strict=False)
        mask = torch.tensor([[1] * 5, [1, 1, 1, 0, 0], [0, 1, 1, 1, 1]])
        given = random_ids(case, 3, 5, seed=1), mask, *target
        real = mask if not target else torch.ones(3, 5)
        same([traced(*given)], [States()(*given)], real, "traced without padding, read with it")

    @pytest.mark.usefixtures("_alone")
    def test_a_model_is_trained_in_parallel_though_some_parameters_are_not_used(self) -> None:
        """`DistributedDataParallel` finds in the output what a loss is made of, and gives the same gradients.

        Where it does not: the output holds tensors where nothing that takes it apart finds them, or one that a call
        made before.
        """
        for head in heads(type(self)):
            model, inputs = tiny_model(self.case, head), inputs_of(self.case, head)
            total(model(**inputs)).backward()
            expected = {name: each.grad for name, each in model.named_parameters()}
            model.zero_grad()
            unused = nn.Parameter(torch.zeros(3))
            model.register_parameter("unused", unused)
            parallel = DistributedDataParallel(model, find_unused_parameters=True)
            for _ in range(2):  # the second call fails where the first has lost sight of one
                model.zero_grad()
                output = parallel(**inputs, **asked_of(model))
                assert isinstance(output, ModelOutput), f"in parallel a call gives a {type(output).__name__}"
                total(output).backward()
            for name, gradient in expected.items():
                if gradient is not None:
                    found = model.get_parameter(name).grad
                    assert found is not None, f"head {head}: in parallel {name} has no gradient"
                    close(found, gradient, f"head {head}: the gradient of {name} in parallel, beside that alone")
            assert unused.grad is None or not unused.grad.any()

    @each(head=heads)
    def test_an_output_is_rebuilt_from_its_parts(self, head: str) -> None:
        """What takes an output apart and puts it together again, as accelerate and `torch` do, has the same one.

        Where it has not: an output holds something else than tensors and sequences of them.
        """
        model, inputs = tiny_model(self.case, head), inputs_of(self.case, head)
        output = model(**inputs, **asked_of(model))
        leaves, spec = pytree.tree_flatten(output)
        strange = {type(each).__name__ for each in leaves if each is not None and not isinstance(each, Tensor)}
        assert not strange, f"an output holds {', '.join(sorted(strange))}, which nothing takes apart"
        rebuilt = [
            pytree.tree_unflatten(leaves, spec),
            type(output)({name: value for name, value in output.items()}),  # noqa: C416, as accelerate does it
            type(output)(**output),
            type(output)((name, output[name]) for name in output),  # as data-parallel training gathers them
            copy.copy(output),
            output.updated(),
        ]
        for again in rebuilt:
            assert type(again) is type(output)
            assert list(again) == list(output)
            assert all(one is other for one, other in zip(pytree.tree_leaves(again), leaves, strict=True))
        halves: Any = pytree.tree_map(
            lambda x: x.half() if isinstance(x, Tensor) and x.is_floating_point() else x, output
        )
        assert type(halves) is type(output)
        for value in halves.values():
            assert not isinstance(value, Memory) or value.layers[0].dtype == torch.half
        assert output.to_tuple() == tuple(output[name] for name in output)
        first = model(**inputs, **asked_of(model), return_dict=False)[0]
        assert first.equal(output[0]), "return_dict=False gives another first result"

    @each(head=heads)
    def test_a_copy_of_an_output_has_tensors_of_its_own(self, head: str) -> None:
        """`copy.deepcopy` of an output made without gradients is one with the same numbers, elsewhere.

        Where it is not: an output holds a tensor that is a result of one with gradients, kept by a module.
        """
        with torch.no_grad():
            output = tiny_model(self.case, head)(**inputs_of(self.case, head))
        again = copy.deepcopy(output)
        assert type(again) is type(output)
        assert list(again) == list(output)
        assert again[0] is not output[0]
        assert torch.equal(again[0], output[0])

    @pytest.mark.filterwarnings("ignore:.*[Bb]ackward hook:UserWarning")  # of what gives no tensor, and of ids
    @each(head=heads)
    def test_every_module_may_be_hooked(self, head: str) -> None:
        """Backward hooks on all modules see the backward pass.

        Where they do not: a forward changes in place what it was given or gives, or never calls its modules, but only
        reads their parameters.
        """
        model, seen = tiny_model(self.case, head).train(), set()
        for name, module in model.named_modules():
            module.register_full_backward_hook(lambda *_, name=name: seen.add(name))
        total(model(**inputs_of(self.case, head))).backward()
        assert len(seen) > 1, f"of all modules only {sorted(seen)} took part in the backward pass"

    @each(head=heads)
    def test_a_call_with_other_parameters_or_computed_twice_is_the_same(self, head: str) -> None:
        """`torch.func.functional_call` and `torch.utils.checkpoint` give what a plain call gives.

        Where they do not: a module keeps a parameter, or what it computed of one, under another name or in a closure.
        """
        model, inputs = tiny_model(self.case, head), inputs_of(self.case, head)
        expected = model(**inputs)
        parameters = {name: each.detach().clone() for name, each in model.named_parameters()}
        functional: Any = torch.func.functional_call(model, parameters, (), inputs)
        twice: Any = checkpoint(lambda: model(**inputs), use_reentrant=False)
        for found, what in ((functional, "called with copies of its parameters"), (twice, "within a checkpoint")):
            same(found.values(), expected.values(), inputs["attention_mask"], f"{what}, beside a plain call")
        total(twice).backward()
        assert any(each.grad is not None for each in model.parameters()), "within a checkpoint nothing learns"

    @each(head=heads)
    def test_what_reads_a_models_attributes_may_read_all(self, head: str) -> None:
        """`dir(model)` names nothing that cannot be read, as debuggers and completion do.

        Where it does: a property raises where it has nothing to give; return ``None``.
        """
        model = tiny_model(self.case, head)
        unread = [name for name in dir(model) if name[0] != "_" and name not in OF_SOME and not hasattr(model, name)]
        assert not unread, f"dir(model) names {', '.join(unread)}, which cannot be read"

    @pytest.fixture
    def _alone(self, tmp_path: Path) -> Iterator[None]:
        """A group of this process, which needs a file to meet itself and no network."""
        store = torch.distributed.FileStore(str(tmp_path / "store"), 1)  # type: ignore[attr-defined]
        torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
        yield
        torch.distributed.destroy_process_group()
