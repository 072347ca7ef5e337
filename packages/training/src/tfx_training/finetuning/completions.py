"""Prompts with what is to follow them; the prompts themselves are not learnt (Radford et al. 2018, §3.2)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from tfx_core import ModelOutput
from tfx_core.model.heads import IGNORED
from tfx_training.finetuning.records import Column, Record
from tfx_training.finetuning.tuning import FineTuning
from tfx_training.objective import Batch, Example, share_right


@dataclass(frozen=True, slots=True)
class Completed:
    """A prompt and what follows it."""

    prompt: str
    completion: str


class Completions(FineTuning[Completed]):
    """What follows prompts, as it stands: a blank between the two belongs to the completion.

    Behind it comes the end token, if there is one. Of what is longer than a row the beginning of the prompt is left
    out, then the end of the completion.
    """

    roles: ClassVar = {"model": "causal-lm"}
    columns = (
        Column("prompt", ("prompt", "instruction", "question", "input", "source")),
        Column("completion", ("completion", "response", "output", "answer", "target")),
    )
    filled: ClassVar = {"labels": IGNORED}

    def read(self, records: Sequence[Record], columns: Mapping[str, str]) -> list[Completed]:
        """Prompts and completions."""
        rows = [Completed(record.text(columns["prompt"]), record.text(columns["completion"])) for record in records]
        for record, row in zip(records, rows, strict=True):
            if not row.completion:
                raise record.error(columns["completion"], "it is empty: there is nothing to learn")
        return rows

    def example(self, row: Completed, generator: np.random.Generator) -> Example:
        """The tokens, and labels of those of the completion."""
        prompt, completion = (self._ids(text) for text in (row.prompt, row.completion))
        end = [] if self.tokenizer.eos_token_id is None else [self.tokenizer.eos_token_id]
        completion = [*completion, *end][: self.length - 1]
        prompt = prompt[max(0, len(prompt) + len(completion) - self.length) :]
        ids = np.asarray([*prompt, *completion], np.int64)
        labels = np.where(np.arange(len(ids)) < len(prompt), IGNORED, ids)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids), "labels": labels}

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """The tokens of completions, but one that nothing stands before."""
        return {"loss": int(_next_labels(batch).ne(IGNORED).sum())}

    def share(self, output: ModelOutput, batch: Mapping[str, Tensor]) -> Tensor | None:
        """How many tokens are the most probable ones; of a model that gives no logits beside a loss None."""
        if "logits" not in output:
            return None
        return share_right(output.logits[:, :-1].argmax(-1), _next_labels(batch))

    def measures(
        self, losses: Mapping[str, float], right: Mapping[str, float], corpus: Sequence[Completed]
    ) -> Mapping[str, float]:
        """Also the perplexity of completions."""
        return {**super().measures(losses, right, corpus), "perplexity": math.exp(min(losses["loss"], 700.0))}


def _next_labels(batch: Mapping[str, Tensor]) -> Tensor:
    """The labels ``(B, S - 1)`` of the tokens after each, but where there is none before."""
    return batch["labels"][:, 1:].masked_fill(batch["attention_mask"][:, :-1] == 0, IGNORED)
