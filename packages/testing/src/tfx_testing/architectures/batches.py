"""A text gives what it gives alone, whatever stands beside it."""

import pytest

from tfx_testing.architectures.base import CaseChecks, heads
from tfx_testing.checks import each
from tfx_testing.comparing import close
from tfx_testing.results import padded_texts, results_of_rows
from tfx_testing.tiny import tiny_model


class BatchChecks(CaseChecks):
    """Batches and padding."""

    @each(head=heads)
    @pytest.mark.parametrize(("side", "extra"), [("right", 0), ("right", 60), ("left", 0), ("left", 60)])
    def test_a_text_gives_in_any_batch_what_it_gives_alone(self, head: str, side: str, extra: int) -> None:
        """Neither the texts beside it nor padding, on either side and however much of it, change a text's results.

        Where they do: positions are counted from the column, not from the mask; the mask reaches not every attention,
        pooling or mean; a head reads a place where padding may stand, such as the last column; or something is computed
        over the rows, as a batch norm does.
        """
        model = tiny_model(self.case, head)
        ids, mask = padded_texts(self.case, side, extra)
        assert not extra or ids.shape[1] > (model.max_positions or 0)  # padding needs no positions
        together = results_of_rows(self.case, model, ids, mask)
        for row, real in enumerate(mask.bool()):
            alone = results_of_rows(self.case, model, ids[row : row + 1, real], mask[row : row + 1, real])[0]
            assert alone.keys() == together[row].keys()
            text = f"a text of {int(real.sum())} tokens, padded on the {side} to {len(real)}"
            for name, value in alone.items():
                close(together[row][name], value, f"{name} of {text}, beside what it gives alone")

    @each(head=heads)
    def test_modules_keep_nothing_of_a_call(self, head: str) -> None:
        """A model holds parameters and nothing else: no buffer, and nothing that a call leaves behind.

        Where it does: a module writes to ``self`` in its forward, or registers a buffer; hand such values on instead.
        """
        model = tiny_model(self.case, head)
        before = {name: set(vars(module)) for name, module in model.named_modules()}
        results_of_rows(self.case, model, *padded_texts(self.case, "left"))
        after = {name: set(vars(module)) for name, module in model.named_modules()}
        kept = {name: sorted(after[name] ^ names) for name, names in before.items() if after[name] != names}
        assert not kept, f"a call changed attributes of modules: {kept}"
        buffers = [name for name, _ in model.named_buffers()]
        assert not buffers, f"these are buffers: {buffers}"
