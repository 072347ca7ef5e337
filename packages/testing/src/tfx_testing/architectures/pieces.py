"""Large batches: what every head gives when its layers read a part of the tokens at a time."""

import torch

from tfx_testing.architectures.base import CaseChecks, heads
from tfx_testing.checks import each
from tfx_testing.comparing import close
from tfx_testing.inputs import results, unlabelled_texts
from tfx_testing.labelled import padded_batch
from tfx_testing.tiny import tiny_model

PIECE = 512
"""Tokens for each thread, of which more are computed some at a time."""


class PieceChecks(CaseChecks):
    """Batches of many tokens."""

    @each(head=heads)
    def test_pieces_give_what_all_tokens_at_once_do(self, head: str) -> None:
        """A batch of so many texts that feed-forward layers compute some tokens at a time gives what each text gives.

        Where it does not: a layer that mixes tokens stands where each token is computed alone.
        """
        model, texts = tiny_model(self.case, head), unlabelled_texts(self.case, head)
        batch = padded_batch(texts, "left")
        with torch.no_grad():
            few = results(self.case, model, batch)
            copies = 1 + PIECE * torch.get_num_threads() // sum(text.length for text in texts)
            many = results(
                self.case, model, {name: x.repeat(copies, *[1] * (x.dim() - 1)) for name, x in batch.items()}
            )
        for name, expected in few.items():
            found = many[name].view(copies, *expected.shape)
            for place in (0, copies // 2, copies - 1):
                close(found[place], expected, f"{name} of copy {place} in a batch of {copies}, beside one batch")
