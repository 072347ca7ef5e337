"""What holds of an attention kernel, or of a pattern that bounds the default one."""

import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

import tfx_core
from tfx_core.errors import InputError
from tfx_core.model import Model, kernel_of
from tfx_core.nn import AttentionKernel, Causal, DenseBias, Patterned, PlacedMask
from tfx_core.plugins import AttentionSpec, registry
from tfx_testing.cases import ArchitectureCase
from tfx_testing.checks import each
from tfx_testing.comparing import close
from tfx_testing.tiny import perturbed, random_ids
from tfx_testing.toys import ToyChecks

CASE = ArchitectureCase("toy-decoder", {"vocab_size": 53, "hidden_size": 24})
SCALE = 0.4


def kernels(cls: "type[AttentionChecks]") -> list[AttentionKernel]:
    """The kernel; none where a pattern bounds that of the model."""
    kernel = kernel_of(cls.attention)
    return [] if isinstance(kernel, Patterned) else [kernel]


def patterns(cls: "type[AttentionChecks]") -> list[PlacedMask]:
    """The pattern, where it is one."""
    kernel = kernel_of(cls.attention)
    return [kernel.pattern] if isinstance(kernel, Patterned) else []


def others(cls: "type[AttentionChecks]") -> list[AttentionKernel]:
    """What gives the same numbers."""
    return [] if cls.same_as is None else [kernel_of(cls.same_as)]


def attend(kernel: AttentionKernel, query: Tensor, key: Tensor, value: Tensor, bias: Any = None, **how: Any) -> Tensor:
    """Call a kernel."""
    return kernel(query, key, value, bias, **{"scale": SCALE, "dropout": 0.0, "observer": None, **how})


class AttentionChecks(ToyChecks):
    """Every check of one kernel or pattern: a test class names it as a user would.

    >>> class TestSoftCap(AttentionChecks):
    ...     attention = "softcap(30)"
    """

    attention: ClassVar[str]
    """What ``attention=`` is given: its name, with arguments where it takes any."""

    same_as: ClassVar[str | None] = None
    """The name of a kernel that gives the same numbers, such as ``"eager"`` for one that is only faster."""

    @classmethod
    def is_declared(cls) -> bool:
        """With the name of an attention."""
        if not hasattr(cls, "attention"):
            return False
        registry.find(AttentionSpec, cls.attention.partition("(")[0].strip())
        return True

    def test_it_says_what_it_is(self) -> None:
        """Its spec has a summary, and an example where it takes arguments, which names it.

        Where it does not: ``AttentionSpec(name, target, example="name(3)", summary="…")``.
        """
        spec = registry.find(AttentionSpec, self.attention.partition("(")[0].strip())
        assert spec.summary, f"attention {spec.name!r} has no summary in its spec"
        if spec.example:
            assert spec.example.startswith(f"{spec.name}("), f"the example {spec.example!r} is not of {spec.name!r}"
            assert callable(kernel_of(spec.example)), f"the example {spec.example!r} makes no attention"

    def test_arguments_that_it_does_not_take_are_told(self) -> None:
        """Arguments of a wrong type or number are an `InputError`, not an error of what is computed later.

        Where they are not: let the target check them and raise `tfx_core.errors.InputError`.
        """
        spec = registry.find(AttentionSpec, self.attention.partition("(")[0].strip())
        for wrong in ("no_such_argument=1", "'text'", "None", "1, 2, 3, 4, 5, 6, 7, 8, 9"):
            try:
                made = kernel_of(f"{spec.name}({wrong})")
            except InputError:
                continue
            pytest.fail(f"{spec.name}({wrong}) is accepted, as {made!r}")

    @each(kernel=kernels)
    def test_results_have_the_shape_and_type_of_the_queries(self, kernel: AttentionKernel) -> None:
        """Queries ``(B, H, T, d)`` give ``(B, H, T, d)`` in their type, with as many keys or more, in every type.

        Where they do not: the kernel computes in another type and does not return to it, or takes T for S.
        """
        for dtype in (torch.float32, torch.bfloat16, torch.float64):
            for queries, keys in ((5, 5), (1, 6), (4, 7)):
                query, key, value = tensors(queries, keys, dtype=dtype)
                found = attend(kernel, query, key, value)
                assert found.shape == query.shape, f"queries {tuple(query.shape)} gave {tuple(found.shape)}"
                assert found.dtype == dtype, f"queries of {dtype} gave {found.dtype}"
                assert found.isfinite().all(), f"{dtype}: not all numbers are finite"

    @each(kernel=kernels)
    def test_what_a_mask_hides_changes_nothing(self, kernel: AttentionKernel) -> None:
        """A key that the bias hides from a query changes nothing of its result, whatever it holds.

        Where it does: the bias is not added before the weights are made, or added where it should be the other sign; or
        keys are chosen before the bias is added.
        """
        query, key, value = tensors(4, 6)
        hidden = torch.zeros(1, 1, 4, 6)
        hidden[..., 4:] = torch.finfo(torch.float32).min
        before = attend(kernel, query, key, value, DenseBias(hidden))
        other = key.clone(), value.clone()
        for tensor in other:
            tensor[..., 4:, :] = 9.0
        close(attend(kernel, query, *other, DenseBias(hidden)), before, "results, where hidden keys and values differ")
        shown = key.clone(), value.clone()
        for tensor in shown:
            tensor[..., :4, :] += 1.0
        assert not torch.allclose(attend(kernel, query, *shown, DenseBias(hidden)), before), (
            "keys that are seen do not count"
        )

    @each(kernel=kernels)
    def test_the_future_is_hidden_by_a_causal_bias(self, kernel: AttentionKernel) -> None:
        """With `Causal`, each query sees its own key and those before it.

        Where it sees more: the kernel passes over ``bias``, or reads only ``bias.dense`` of some kinds of it.
        """
        query, key, value = tensors(6, 6)
        before = attend(kernel, query, key, value, Causal())
        key, value = key.clone(), value.clone()
        key[..., 4:, :], value[..., 4:, :] = 5.0, 7.0
        close(attend(kernel, query, key, value, Causal())[..., :4, :], before[..., :4, :], "queries before the change")

    @each(kernel=kernels)
    def test_a_query_that_sees_nothing_gives_numbers(self, kernel: AttentionKernel) -> None:
        """A row of padding, of which every key is hidden, gives finite numbers and finite gradients.

        Where it does not: a softmax over what is infinite is no number; hide with the least finite number.
        """
        query, key, value = (tensor.requires_grad_() for tensor in tensors(3, 5))
        found = attend(kernel, query, key, value, DenseBias(torch.full((1, 1, 3, 5), torch.finfo(torch.float32).min)))
        assert found.isfinite().all(), "the result is not finite"
        torch.autograd.backward(found.sum())
        for name, tensor in (("queries", query), ("keys", key), ("values", value)):
            assert tensor.grad is None or tensor.grad.isfinite().all(), f"the gradient of the {name} is not finite"

    @each(kernel=kernels)
    def test_a_head_of_keys_serves_several_of_queries(self, kernel: AttentionKernel) -> None:
        """With fewer heads of keys and values, ``(B, G, S, d)``, each serves ``H / G`` heads of queries, in order.

        Where it does not: `tfx_core.nn.repeat_key_heads` gives each head of queries its own.
        """
        query, key, value = tensors(4, 6, key_heads=2)
        grouped = attend(kernel, query, key, value)
        repeated = attend(kernel, query, *(tensor.repeat_interleave(2, dim=1) for tensor in (key, value)))
        close(grouped, repeated, "keys of 2 heads for queries of 4, beside the same keys repeated")

    @each(kernel=kernels)
    def test_rows_and_heads_do_not_see_each_other(self, kernel: AttentionKernel) -> None:
        """A row gives in any batch what it gives alone, and so does a head among others.

        Where it does not: something is normalised or chosen over the batch or the heads.
        """
        query, key, value = tensors(4, 6)
        whole = attend(kernel, query, key, value)
        for row in range(len(query)):
            alone = attend(kernel, *(tensor[row : row + 1] for tensor in (query, key, value)))
            close(whole[row : row + 1], alone, f"row {row} of {len(query)}, beside what it gives alone")

    @each(kernel=kernels)
    def test_the_scale_counts(self, kernel: AttentionKernel) -> None:
        """Scores are multiplied by ``scale``, which is not always one over the root of the width.

        Where they are not: the kernel uses a scale of its own.
        """
        query, key, value = tensors(4, 6)
        close(
            attend(kernel, query, key, value),
            attend(kernel, query * SCALE, key, value, scale=1.0),
            f"scale={SCALE}, beside queries that were multiplied by it",
        )

    @each(kernel=kernels)
    def test_weights_are_shown_and_may_be_exchanged(self, kernel: AttentionKernel) -> None:
        """An observer is shown the weights ``(B, H, T, S)``, and what it gives back is used.

        Where a kernel has no weights to show, it raises `InputError`, which says so; it never passes over an observer.
        """
        query, key, value = tensors(4, 6)
        seen: list[Tensor] = []

        def halve(weights: Tensor) -> Tensor:
            seen.append(weights)
            return weights * 0.5

        try:
            found = attend(kernel, query, key, value, observer=halve)
        except InputError:
            return
        assert len(seen) == 1, f"the observer was called {len(seen)} times"
        assert seen[0].shape == (2, 4, 4, 6), f"the weights are {tuple(seen[0].shape)}, not (2, 4, 4, 6)"
        close(found, attend(kernel, query, key, value) * 0.5, "results of halved weights, beside half of the results")

    @each(kernel=kernels)
    def test_gradients_are_those_of_the_results(self, kernel: AttentionKernel) -> None:
        """Gradients are exact: compared with differences, in float64.

        Where they are not: a `torch.autograd.Function` has a wrong backward, or a value is detached.
        """
        query, key, value = (tensor.requires_grad_() for tensor in tensors(3, 4, dtype=torch.float64, width=3))
        torch.autograd.gradcheck(lambda *given: attend(kernel, *given), (query, key, value))

    @each(kernel=kernels)
    def test_dropout_is_that_of_the_call(self, kernel: AttentionKernel) -> None:
        """Without dropout two calls are equal; with it they are not.

        Where they are not: the kernel passes over ``dropout``, or draws something of its own.
        """
        query, key, value = tensors(8, 8)
        assert torch.equal(attend(kernel, query, key, value), attend(kernel, query, key, value)), "two calls differ"
        dropped = [attend(kernel, query, key, value, dropout=0.5) for _ in range(2)]
        assert not torch.equal(*dropped), "dropout=0.5 changes nothing"

    @each(kernel=kernels)
    def test_it_keeps_nothing_of_a_call(self, kernel: AttentionKernel) -> None:
        """The kernel is the same before and after a call: one serves many threads.

        Where it is not: it writes to itself; hand such values on instead.
        """
        before = dict(getattr(kernel, "__dict__", {}))
        attend(kernel, *tensors(4, 6))
        after = dict(getattr(kernel, "__dict__", {}))
        changed = sorted(name for name in before | after if before.get(name) is not after.get(name))
        assert not changed, f"a call left {changed} behind"

    @each(kernel=kernels, other=others)
    def test_it_gives_the_numbers_that_it_says(self, kernel: AttentionKernel, other: AttentionKernel) -> None:
        """Where a test class says that it is the ``same_as`` another kernel, their numbers are equal but for rounding.

        Where they are not: it is no faster form of that kernel, but another attention; leave ``same_as`` out.
        """
        for queries, keys, bias in ((5, 5, Causal()), (3, 7, None), (1, 6, None)):
            query, key, value = tensors(queries, keys)
            expected = attend(other, query, key, value, bias)
            close(attend(kernel, query, key, value, bias), expected, f"{queries} queries of {keys} keys")

    @each(pattern=patterns)
    def test_a_pattern_is_of_places_alone(self, pattern: PlacedMask) -> None:
        """What a query may see follows from its place and the key's: ``at`` takes any shapes of them and keeps nothing.

        Each query sees itself. Where it does not: the pattern reads the numbers of queries and keys, not their places.
        """
        places = torch.arange(9)
        whole = pattern.at(places, places)
        assert whole.shape == (9, 9), f"9 places of queries and 9 of keys gave {tuple(whole.shape)}, not (9, 9)"
        assert whole.dtype == torch.bool, f"the pattern is {whole.dtype}, not bool"
        assert whole.diagonal().all(), "there is a query that does not see itself"
        order = torch.tensor([4, 8, 0, 2])
        assert torch.equal(pattern.at(order, places), whole[order]), "places in another order see something else"
        batch = pattern.at(order.expand(2, -1), places.expand(2, -1))
        assert torch.equal(batch, whole[order].expand(2, -1, -1)), "places of two rows, (2, T), give something else"

    @pytest.mark.parametrize("side", ["left", "right"])
    def test_a_model_with_it_gives_a_text_the_same_in_any_batch(self, side: str) -> None:
        """In a model that reads with this attention, padding and other rows change nothing of a text.

        Where they do: a pattern counts columns where it should count tokens, or padding is among the keys.
        """
        for model in models(self.attention):
            for length in (3, 6):
                ids = random_ids(CASE, 1, length, seed=length)
                pads = (9 - length, 0) if side == "left" else (0, 9 - length)
                row = torch.nn.functional.pad(ids, pads)
                mask = torch.nn.functional.pad(torch.ones_like(ids), pads)
                other = torch.cat((row, random_ids(CASE, 1, 9)))
                both = model(other, attention_mask=torch.cat((mask, torch.ones(1, 9, dtype=torch.long))))
                found = both.last_hidden_state[:1][mask.bool()]
                close(found, model(ids).last_hidden_state[0], f"a text of {length} tokens, padded on the {side}")

    def test_a_model_with_it_writes_with_its_cache_what_it_writes_without(self) -> None:
        """Token by token, with keys and values kept, a causal model gives what it gives of the whole text at once.

        Where it does not: with one query and many keys the kernel takes the first key for the query's own place.
        """
        model = models(self.attention)[0]
        ids = random_ids(CASE, 2, 8)
        whole, cache, found = model(ids).last_hidden_state, None, []
        for place in range(ids.shape[1]):
            step = model(ids[:, place : place + 1], past_key_values=cache, use_cache=True)
            cache = step.past_key_values
            found.append(step.last_hidden_state)
        close(torch.cat(found, dim=1), whole, "states of single steps, beside those of the whole text")

    def test_a_model_with_it_is_pickled(self) -> None:
        """A model goes to another process with its attention, and gives the same there.

        Where it does not: the kernel is a function within a function; make it a class, whose instances are called, or a
        function of a module.
        """
        model, ids = models(self.attention)[0], random_ids(CASE, 2, 7)
        again = pickle.loads(pickle.dumps(model))
        close(again(ids).last_hidden_state, model(ids).last_hidden_state, "pickled, beside not")

    def test_a_model_with_it_compiles(self) -> None:
        """`torch.compile` takes it in one graph, and its results are the same.

        Where it does not: the kernel looks at values in Python (``if x.max() > …``, ``.item()``).
        """
        torch.compiler.reset()
        model, ids = models(self.attention)[0], random_ids(CASE, 2, 7)
        with torch.no_grad():
            expected = model(ids).last_hidden_state
            compiled: Callable[..., Any] = torch.compile(model, backend="eager", fullgraph=True)
            close(compiled(ids).last_hidden_state, expected, "compiled, beside not")


def models(attention: str) -> list[Model]:
    """A causal model and one that sees both ways, with this attention."""
    made = []
    for causal in (True, False):
        sizes = {**CASE.tiny, "causal": causal}
        model = tfx_core.new_model("toy-decoder", seed=1, attention=attention, **sizes)
        made.append(perturbed(model.eval(), 2, 0.1))
    return made


def tensors(
    queries: int, keys: int, *, dtype: torch.dtype = torch.float32, key_heads: int = 4, width: int = 6
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries ``(2, 4, T, d)``, keys and values ``(2, G, S, d)``."""
    generator = torch.Generator().manual_seed(queries * 100 + keys)
    shapes = ((2, 4, queries, width), (2, key_heads, keys, width), (2, key_heads, keys, width))
    query, key, value = (torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes)
    return query, key, value
