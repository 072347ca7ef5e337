"""Results of a text alone, in a batch and in narrow types are one, within the tolerance of the type."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import tfx_core
from tfx_core.nn import padded_layouts
from tfx_testing.architectures.base import CaseChecks, heads
from tfx_testing.checks import each
from tfx_testing.comparing import all_close, close
from tfx_testing.inputs import results, total, unlabelled_texts
from tfx_testing.labelled import SIDES, WIDTH, learns, padded_batch, texts_of
from tfx_testing.results import padded_texts, results_of_rows
from tfx_testing.tiny import new_model, parameters, plain_results, random_ids, target_ids, tiny_model

TOLERANCE = {torch.float32: 1e-5, torch.float16: 0.01, torch.bfloat16: 0.05}
"""Of the largest number of a result, or of 1: how far any of its numbers may be from that in float32."""


class DtypeChecks(CaseChecks):
    """Types of the weights, autocast, and moves between types and devices."""

    @each(head=heads)
    @pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
    def test_a_text_is_the_same_alone_and_in_a_batch_in_any_type(self, head: str, dtype: torch.dtype) -> None:
        """Alone, and in batches padded left, right or between, a text gives in each type what it gives in float32.

        Where it does not: a sum over many tokens, a softmax or a norm is computed in the narrow type; a constant stands
        for minus infinity that the type does not have; or a tensor is made in float32 within ``forward``. Rotary
        positions that are counted from the column show here first, where rows have holes: padding on one side alone
        shifts queries and keys alike, which changes nothing.
        """
        model, given = tiny_model(self.case, head), unlabelled_texts(self.case, head)
        with torch.no_grad():
            expected = [results(self.case, model, text.inputs) for text in given]
            model.to(dtype)
            for text, wide in zip(given, expected, strict=True):
                for name, value in results(self.case, model, text.inputs).items():
                    assert value.dtype == dtype, f"{name} is of {value.dtype}"
                    near(f"{name} of a text alone in {dtype}", value, wide[name], TOLERANCE[dtype])
            for side in SIDES:
                for name, value in results(self.case, model, padded_batch(given, side)).items():
                    for row, (text, wide) in enumerate(zip(given, expected, strict=True)):
                        own = _of_text(value, row, len(given), text.columns(side))
                        own = own[tuple(map(slice, wide[name].shape))]  # of fewer states than tokens, those of the text
                        said = f"{name} of text {row}, padding {side}, in {dtype}"
                        near(said, own.reshape(wide[name].shape), wide[name], TOLERANCE[dtype])

    @each(head=heads)
    def test_autocast_computes_and_teaches_the_same(self, head: str) -> None:
        """Under autocast results and gradients are near to those without, and gradients have the weights' type.

        Where they are not: ``forward`` converts to the type of a weight that autocast leaves wide, or adds in place.
        """
        model = tiny_model(self.case, head)
        labelled = learns(self.case, head)
        given = texts_of(self.case, head) if labelled else unlabelled_texts(self.case, head)
        inputs = padded_batch(given, "left")
        inputs |= {} if labelled else target_ids(self.case, head, len(inputs["input_ids"]))
        found = []
        for enabled in (False, True):
            model.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                output = model(**inputs)
            torch.autograd.backward(total(output))
            gradients = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
            found.append((output, gradients))
        (output, gradients), (narrow, others) = found
        for name, value in narrow.items():
            if isinstance(value, Tensor) and "_top_" not in name:
                near(f"{name} under autocast", value.detach(), output[name].detach(), TOLERANCE[torch.bfloat16])
        assert others.keys() == gradients.keys(), "other parameters have a gradient under autocast"
        largest = max(one.abs().max() for one in gradients.values())
        for name, one in others.items():
            assert one.dtype == torch.float32, f"the gradient of {name} is of {one.dtype}"
            error = (one - gradients[name]).abs().max() / largest
            assert error <= 0.1, f"the gradient of {name} under autocast is off by {float(error):.2g} of the largest"

    @each(head=heads)
    def test_nothing_stays_narrow_in_a_model_that_is_made_wide_again(self, head: str, tmp_path: Path) -> None:
        """A model that was loaded, and used, in bfloat16 and then made float32 is one with rounded weights.

        Where it is not: a module keeps something of a call or of the first type, which ``to`` does not reach.
        """
        model, given = tiny_model(self.case, head), padded_batch(unlabelled_texts(self.case, head), "left")
        model.save_pretrained(tmp_path)
        loaded = tfx_core.load_model(tmp_path, dtype="bfloat16")
        other = [name for name, one in loaded.named_parameters() if one.dtype != torch.bfloat16]
        assert not other, f"loaded with dtype='bfloat16', these are of another: {other}"
        with torch.no_grad():
            results(self.case, loaded, given)
            for parameter in model.parameters():
                parameter.copy_(parameter.bfloat16())
            found, expected = (results(self.case, one, given) for one in (loaded.float(), model))
        all_close(found, expected, "made float32 again after a call in bfloat16", rtol=1e-6, atol=1e-6)

    @each(head=heads)
    def test_a_model_moves_between_types_and_devices_as_its_weights_do(self, head: str) -> None:
        """After float64 and back, and after a device without memory and its weights loaded again, nothing is lost.

        Where it is: a tensor that a call reads is an attribute, neither parameter nor made in ``forward``; ``to`` and
        ``load_state_dict`` know nothing of it.
        """
        model = tiny_model(self.case, head)
        before, weights = plain_results(self.case, model), parameters(model)
        wide = plain_results(self.case, model.double())
        strange = [name for name, value in wide.items() if value.is_floating_point() and value.dtype != torch.float64]
        assert not strange, f"in float64 these results are of another type: {strange}"
        all_close(plain_results(self.case, model.float()), before, "after float64 and back", rtol=0, atol=0)
        bare = new_model(self.case, head, seed=2).to(device="meta").to_empty(device="cpu")
        bare.load_state_dict(weights)
        all_close(plain_results(self.case, bare), before, "moved without memory and loaded again", rtol=0, atol=0)

    @each(head=heads)
    def test_it_runs_in_bfloat16(self, head: str) -> None:
        """A model made in bfloat16 gives finite numbers.

        Where it does not: ``initialise`` computes what the narrow type cannot hold.
        """
        made = new_model(self.case, head, dtype="bfloat16")
        for row, values in enumerate(results_of_rows(self.case, made, *padded_texts(self.case, "right"))):
            strange = [name for name, value in values.items() if not value.isfinite().all()]
            assert not strange, f"text {row}: not finite: {strange}"

    def test_in_the_widest_type_both_kernels_hide_padding_alike(self) -> None:
        """In float64, with rows of padding, the kernels ``eager`` and ``sdpa`` give the same.

        What padding itself is computed as, where it is, is a number too: nothing else would be left of the rest. Where
        they do not: a mask hides with a constant that is not minus infinity in this type.
        """
        model, ids = tiny_model(self.case, "backbone").double(), random_ids(self.case, 2, 6)
        real = torch.tensor([[0, 0, 0, 1, 1, 1], [1, 1, 1, 1, 1, 1]])
        target = target_ids(self.case, "backbone", 2)
        with torch.no_grad(), padded_layouts():
            found, expected = (
                model(ids, attention_mask=real, attention=name, **target).last_hidden_state
                for name in ("eager", "sdpa")
            )
        assert found.isfinite().all(), "states are not finite"
        close(found, expected, "states with attention='eager', beside 'sdpa'", rtol=1e-5)


def near(what: str, found: Tensor, expected: Tensor, tolerance: float) -> None:
    """Fail unless all numbers are finite, and off by at most this part of the largest, or of 1; ``what`` names them."""
    error, largest = (found.float() - expected).abs().max(), expected.abs().max().clamp(min=1)
    assert found.isfinite().all(), f"{what}: not finite"
    assert error <= tolerance * largest, f"{what}: off by {float(error / largest):.2g} of the largest number"


def _of_text(value: Tensor, row: int, rows: int, columns: Tensor) -> Tensor:
    """One text's part of a padded batch's results, its choices together, at its own tokens."""
    value = value.view(rows, -1, *value.shape[1:])[row]
    for axis, size in enumerate(value.shape):
        if size == WIDTH:
            value = value.index_select(axis, columns)
    return value
