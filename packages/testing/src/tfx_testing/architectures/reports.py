"""What a call reports is what it computed with, padded or not, with any kernel."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from tfx_core.model import Model, ModelOutput
from tfx_core.nn import Observer, eager
from tfx_testing.architectures.base import CaseChecks
from tfx_testing.cases import ArchitectureCase, Inputs
from tfx_testing.comparing import close
from tfx_testing.inputs import ASKED, unlabelled_texts
from tfx_testing.labelled import SIDES, WIDTH, Text, padded_batch
from tfx_testing.refusing import refused
from tfx_testing.tiny import each_stream, tiny_model


def texts_and_targets(case: ArchitectureCase) -> list[Text]:
    """Texts, with a target as long where there is a decoder."""
    made = unlabelled_texts(case, "backbone")
    if not case.target_heads:
        return made
    return [
        Text({
            **text.inputs,
            "decoder_input_ids": text.inputs["input_ids"].flip(-1),
            "decoder_attention_mask": text.inputs["attention_mask"],
        })
        for text in made
    ]  # fmt: skip


def streams(case: ArchitectureCase, inputs: Inputs) -> Inputs:
    """With every place as one to predict as well, where the architecture has two streams."""
    more = case.optional_inputs("backbone", inputs["input_ids"])
    return {**inputs, **{name: x for name, x in more.items() if name == "target_mapping"}}


def reported(output: ModelOutput) -> Iterator[tuple[str, Tensor]]:
    """The states and weights of a call, each stream's its own."""
    for name, value in output.items():
        if name.endswith(("hidden_states", "attentions")):
            for each in value:
                yield from ((name, one) for one in (each if isinstance(each, tuple) else (each,)))


def of_text(name: str, value: Tensor, row: int, columns: Tensor, *, by_key: bool) -> Tensor:
    """A padded batch's states ``(B, S, D)`` or weights ``(B, H, T, S)``, those of the tokens of one text."""
    value = value[row : row + 1]
    for axis in (1,) if name.endswith("states") else (2, 3) if by_key else (2,):
        remembered = value.shape[axis] - WIDTH  # before the text
        if remembered >= 0:  # else they are fewer than tokens, and begin with the first one's
            value = value.index_select(axis, torch.cat((torch.arange(remembered), columns + remembered)))
    return value


def gradients(model: Model, inputs: Inputs, real: Tensor) -> list[tuple[str, Tensor | None]]:
    """Of the last states of real tokens with respect to everything that the call reports."""
    output = model(**inputs, **ASKED)
    names, values = zip(*reported(output), strict=True)
    tokens = real.shape[1]
    last = [state for name, state in output.items() if name.startswith("last_hidden_state")]
    total = sum((each[real].square().sum() for state in last for each in each_stream(state, tokens)), torch.zeros(()))
    found = zip(names, torch.autograd.grad(total, values, allow_unused=True), strict=True)
    return [(name, one) for name, value in found for one in parts(name, value, tokens)]


def parts(name: str, value: Tensor | None, tokens: int) -> Sequence[Tensor | None]:
    """What is reported of each stream: states ``(B, T, D)``, weights ``(B, H, T, S)``, those of its own keys apart."""
    if value is None or name.endswith("states"):
        return [None] if value is None else each_stream(value, tokens)
    if value.dim() == 5:
        return [keys for stream in value.unbind(1) for keys in stream.split(tokens, dim=3)]
    return value.split(tokens, dim=2) if value.shape[2] % tokens == 0 else [value]


class ReportChecks(CaseChecks):
    """Attentions and hidden states."""

    @pytest.mark.parametrize("side", SIDES)
    def test_gradients_reach_what_is_reported(self, side: str) -> None:
        """What is reported is what the result was computed with, so that a gradient with respect to it is found.

        It is the same in a padded batch as alone. Where there is none: a copy is reported, or weights are computed a
        second time; report the tensors themselves through ``observer``.
        """
        model, given = tiny_model(self.case, "backbone"), texts_and_targets(self.case)
        batch = padded_batch(given, side)
        mask = batch.get("decoder_attention_mask", batch["attention_mask"]).bool()
        for two_streams in (False, True):
            makes = streams if two_streams else _as_they_are
            together = gradients(model, makes(self.case, batch), mask)
            for row, text in enumerate(given):
                own = torch.ones(1, text.length, dtype=torch.bool)
                alone = gradients(model, makes(self.case, text.inputs), own)
                assert len(together) == len(alone), "a padded batch reports other tensors than a text alone"
                for number, ((name, ours), (_, theirs)) in enumerate(zip(together, alone, strict=True)):
                    # nothing reads what the content stream has in the end, where another one predicts
                    what = f"tensor {number} of the reports, of {name}"
                    assert (ours is None) == (theirs is None), f"{what}: its gradient depends on padding"
                    assert ours is not None or two_streams, f"{what}, is not what the states were computed with"
                    if ours is not None and theirs is not None:
                        by_key = self.case.weights_by_key
                        found = of_text(name, ours, row, text.columns(side), by_key=by_key)
                        found = found[tuple(map(slice, theirs.shape))]
                        said = f"the gradient of {what}, of row {row} padded as {side!r}, beside that of the text alone"
                        close(found, theirs, said, rtol=1e-3, atol=1e-4)

    def test_the_kernel_of_a_call_is_the_one_that_reports(self) -> None:
        """Asking for weights, or masking heads, keeps the kernel, and so the result.

        Where it does not: attention is computed eagerly by the layer itself when weights are asked for.
        """

        def sharper(*of_call: Any, scale: float, **how: Any) -> Tensor:
            return eager(*of_call, scale=2 * scale, **how)

        model, inputs = tiny_model(self.case, "backbone"), padded_batch(texts_and_targets(self.case), "left")
        mask = inputs["attention_mask"].bool()
        usual = model(**inputs).last_hidden_state[mask]
        model.attention = sharper
        plain = model(**inputs).last_hidden_state[mask]
        assert not torch.allclose(plain, usual, atol=1e-3), "model.attention = kernel changes nothing"
        for name, asked in {"reports": ASKED, **_masked_heads(model)}.items():
            close(model(**inputs, **asked).last_hidden_state[mask], plain, f"states with {name}, beside those without")

    def test_a_kernel_that_reports_nothing_is_refused_where_something_is_asked_of_it(self) -> None:
        """Weights that a kernel does not show are an error, never missing in silence.

        Where they are not: the call does not look whether its observer has seen every layer.
        """

        def silent(*of_call: Any, observer: Observer | None, **how: Any) -> Tensor:
            return eager(*of_call, **how)

        model, inputs = tiny_model(self.case, "backbone"), texts_and_targets(self.case)[0].inputs
        model.attention = silent
        assert model(**inputs, output_hidden_states=True).last_hidden_state.isfinite().all()
        for name, asked in {"weights": {"output_attentions": True}, **_masked_heads(model)}.items():
            with refused(r"kernel shows its weights to nobody; .* attention='eager'", f"{name} of a silent kernel"):
                model(**inputs, **asked)


def _as_they_are(case: ArchitectureCase, inputs: Inputs) -> Inputs:
    return inputs


def _masked_heads(model: Model) -> dict[str, dict[str, Any]]:
    """A mask of no heads, where the model takes one."""
    config: Any = model.config
    mask = {"head_mask": torch.ones(config.num_attention_heads)}
    return {"a mask of heads": mask} if "head_mask" in model.input_names else {}
