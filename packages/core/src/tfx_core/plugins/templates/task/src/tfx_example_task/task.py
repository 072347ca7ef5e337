"""The task: how an input becomes rows of model input, and what the model says of them a result.

Import torch where it is used: ``tfx-core run example-task --help`` reads this file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias

from tfx_core.fields import Between, Help
from tfx_core.tasks import LengthOptions, Result, Task, TextWindow, check_text, tokenize

if TYPE_CHECKING:
    from torch import Tensor

Candidates: TypeAlias = list[tuple[float, int]]
"""(probability, token id), the most probable first."""


@dataclass(frozen=True, kw_only=True)
class ExampleTaskOptions(LengthOptions):
    """Keywords of a call, and flags of the command line; annotations say what is allowed."""

    top_k: Annotated[int, Between(1), Help("candidates for each text, the most probable first")] = 5


class ExampleTask(Task[ExampleTaskOptions, str, Candidates]):
    """Texts in; for each a list of dicts with ``score``, ``token`` and ``token_str`` out.

    The base sorts rows by length, runs them in batches and keeps the order of inputs. A task holds nothing of a call:
    threads share it.
    """

    name = "example-task"
    heads = ("causal-lm",)
    options_type = ExampleTaskOptions

    def parse(self, value: object, options: ExampleTaskOptions) -> str:
        """One input, checked; what is wrong with it is a `tfx_core.errors.InputError`."""
        return check_text(value)

    def encode(
        self,
        items: Sequence[str],
        options: ExampleTaskOptions,
    ) -> list[list[TextWindow]]:
        """The rows of each input: one here; several where a long text is read in pieces."""
        windows = tokenize(
            self.model, self.tokenizer, items, truncation=options.truncation, max_length=options.max_length
        )
        rows = [window.features["input_ids"] for window in windows]  # what else a tokenizer may give, decoders refuse
        return [[TextWindow({"input_ids": ids, "attention_mask": [1] * len(ids)})] for ids in rows]

    def compute(
        self,
        batch: "Mapping[str, Tensor]",
        windows: Sequence[TextWindow],
        options: ExampleTaskOptions,
    ) -> list[Candidates]:
        """What to keep of each row of a padded batch: no tensors of all tokens, for all rows are kept to the end."""
        logits = self.model(**batch, return_dict=True).logits  # (B, S, V)
        ends = [self.place(window, logits.shape[1]).stop - 1 for window in windows]  # padding may be on either side
        probabilities = logits[range(len(windows)), ends].float().softmax(dim=-1)  # (B, V)
        scores, ids = probabilities.topk(min(options.top_k, probabilities.shape[-1]))
        return [list(zip(*row, strict=True)) for row in zip(scores.tolist(), ids.tolist(), strict=True)]

    def decode(
        self,
        item: str,
        windows: Sequence[TextWindow],
        rows: Sequence[Candidates],
        options: ExampleTaskOptions,
    ) -> Result:
        """The result of an input, out of what was kept of its rows: plain values that JSON can hold."""
        (candidates,) = rows
        return [
            {"score": score, "token": token, "token_str": self.tokenizer.decode([token])} for score, token in candidates
        ]
