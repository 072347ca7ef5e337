"""What objectives have in common that teach an encoder-decoder to write a target."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from tfx_core import Model
from tfx_core.model.heads import IGNORED
from tfx_training.objective import Batch, Corpus, Example, Objective, Outcome, Row, Trainee, padded, share_right
from tfx_training.special_tokens import role_id


class Writer(Trainee):
    """A model that writes a target, of which a label stands at each logit."""

    def forward(self, batch: Mapping[str, Tensor], carried: Any = None) -> Outcome:
        """The model's own loss."""
        (model,) = self.models.values()
        output = model(**batch)
        right = {} if self.training else {"loss": share_right(output.logits.argmax(-1), batch["labels"])}
        return Outcome({"loss": output.loss}, right)


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
