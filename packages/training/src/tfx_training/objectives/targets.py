"""What objectives have in common that teach an encoder-decoder to write a target."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from tfx_core import Model, Tokenizer
from tfx_core.errors import InputError
from tfx_core.model.heads import IGNORED
from tfx_training.objective import Batch, Corpus, Example, Objective, Outcome, Row, Trainee, padded


class Writer(Trainee):
    """A model that writes a target, of which a label stands at each logit."""

    def forward(self, batch: Mapping[str, Tensor], carried: Any = None) -> Outcome:
        """The model's own loss."""
        (model,) = self.models.values()
        output = model(**batch)
        right = {} if self.training else {"loss": share_right(output.logits, batch["labels"])}
        return Outcome({"loss": output.loss}, right)


def share_right(logits: Tensor, labels: Tensor) -> Tensor:
    """How many of the labels ``(…)`` that count are the best guess of ``(…, V)``."""
    counted = labels != IGNORED
    return (logits.argmax(-1) == labels)[counted].float().mean()


class Writing(Objective[Corpus, Row]):
    """Rows of a source, ``input_ids``, and of what is to be written, ``labels``."""

    roles: ClassVar = {"model": "conditional-generation"}

    def batch(self, examples: Sequence[Example]) -> Batch:
        """Columns ``(B, S)`` of the source and ``(B, T)`` of the target, filled up to the longest row of each."""
        pad = role_id(self.tokenizer, "pad_token")
        return padded(examples, {"input_ids": pad, "attention_mask": 0, "labels": IGNORED})

    def trainee(self, models: Mapping[str, Model]) -> Trainee:
        """The model, which computes its own loss."""
        self.check_roles(models)
        return Writer(models)


def role_id(tokenizer: Tokenizer, role: str) -> int:
    """The id of a token that an objective needs; raises `InputError` where the tokenizer has none."""
    number: int | None = getattr(tokenizer, f"{role}_id")
    if number is None:
        raise InputError(
            f"this tokenizer has no {role}, which the objective needs; name one of its tokens, "
            f"tokenizer.{role} = …, or add one with tokenizer.add_special_tokens and give the model as many rows"
        )
    return number
