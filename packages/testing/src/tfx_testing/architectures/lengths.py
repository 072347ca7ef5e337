"""What longer texts cost: counted, so without a clock."""

import torch
from torch import Tensor

from tfx_core.model import HeldTensors, Model, counted, load_architecture
from tfx_testing.architectures.base import CaseChecks
from tfx_testing.cases import ArchitectureCase
from tfx_testing.tiny import random_ids, target_ids, tiny_model

SHORTER, LONGER = 512, 1024


def long_model(case: ArchitectureCase) -> Model:
    """A tiny model with positions for long texts, where it has a longest one."""
    model = tiny_model(case, "backbone")
    if model.max_positions is None or model.max_positions >= LONGER:
        return model
    aliases = load_architecture(case.model_type).config.aliases
    positions = {aliases.get("max_position_embeddings", "max_position_embeddings"): LONGER + 2}
    return tiny_model(case, "backbone", **{**positions, **(case.sparse or {})})


def states(case: ArchitectureCase, model: Model, length: int) -> Tensor:
    """What the model makes of one text."""
    target = {"decoder_input_ids": random_ids(case, 1, length)} if target_ids(case, "backbone", 1) else {}
    found: Tensor = model(random_ids(case, 1, length), **target).last_hidden_state
    return found


class LengthChecks(CaseChecks):
    """Memory and multiplications by the length of a text."""

    def test_memory_of_training_grows_with_the_length_and_not_its_square(self) -> None:
        """A text of twice the tokens holds twice the memory in training, unless the case says ``holds_pairs=True``.

        Where it holds four times: scores or a mask ``(T, T)`` are made beside the kernel; give the kernel a
        `tfx_core.nn.Bias` that it makes dense only where it has to. Where it does not though the case says so: take
        ``holds_pairs`` out.
        """
        model, held = long_model(self.case), []
        for length in (SHORTER, LONGER):
            states(self.case, model, length).sum().backward()  # what is made once
            model.zero_grad()
            with HeldTensors() as tensors:
                states(self.case, model, length).sum().backward()
            held.append(tensors.peak)
        told = f"{SHORTER} tokens hold {held[0]} bytes, {LONGER} hold {held[1]}: {held[1] / held[0]:.1f} times as many"
        assert (held[1] > 2.5 * held[0]) == self.case.holds_pairs, told

    def test_sparse_attention_multiplies_in_proportion_to_the_length(self) -> None:
        """A text of twice the tokens multiplies less than 2.2 times as much exactly where the case has ``sparse``.

        Where it does not: full attention is computed first and bounded afterwards, by a mask.
        """
        model = long_model(self.case)
        shorter, longer = (self._multiplications(model, length) for length in (SHORTER, LONGER))
        told = f"{SHORTER} tokens multiply {shorter} numbers, {LONGER} tokens {longer}: {longer / shorter:.1f} times"
        assert (longer < 2.2 * shorter) == (self.case.sparse is not None), told

    def _multiplications(self, model: Model, length: int) -> int:
        """Of a call of one text."""
        with torch.no_grad():
            return counted(lambda: states(self.case, model, length), torch.device("cpu")).multiplications
