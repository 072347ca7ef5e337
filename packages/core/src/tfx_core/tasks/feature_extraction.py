"""Feature extraction: the hidden states of a text's tokens, or one vector pooled from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfx_core.errors import InputError
from tfx_core.fields import Help
from tfx_core.tasks.base import Task
from tfx_core.tasks.options import LengthOptions
from tfx_core.tasks.windows import TextWindow, check_text, tokenize

if TYPE_CHECKING:
    from torch import Tensor

    from tfx_core.model.model import Model

Features: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class FeatureExtractionOptions(LengthOptions):
    """Options of `FeatureExtraction`."""

    pooling: Annotated[
        Literal["none", "cls", "mean", "max", "mean_sqrt_len", "weightedmean", "lasttoken"],
        Help("how the states of a text's tokens become one vector; none keeps a vector for each token"),
    ] = "none"
    normalize: Annotated[bool, Help("scale every vector to length 1")] = False


class FeatureExtraction(Task[FeatureExtractionOptions, str, Features]):
    """Texts in, float32 arrays out: ``(tokens, D)``, or ``(D,)`` when pooled.

    A text alone gives a list of its one array. Tokens that the tokenizer adds are among them. Any model whose output
    has states serves, whatever its head; of one that pools these itself there are fewer than tokens.
    """

    name = "feature-extraction"
    heads = ("backbone", "encoder-only")
    reads = "token-states"
    options_type = FeatureExtractionOptions
    listed = True

    def check_model(self, model: "Model") -> None:
        """Every head passes the states on."""

    def parse(self, value: object, options: FeatureExtractionOptions) -> str:
        """A string."""
        return check_text(value)

    def encode(self, items: Sequence[str], options: FeatureExtractionOptions) -> list[list[TextWindow]]:
        """One window each."""
        windows = tokenize(
            self.model, self.tokenizer, items, truncation=options.truncation, max_length=options.max_length
        )
        return [[window] for window in windows]

    def compute(
        self, batch: "Mapping[str, Tensor]", windows: Sequence[TextWindow], options: FeatureExtractionOptions
    ) -> list[Features]:
        """The states of the tokens (S, D), or their pooled state (D,)."""
        import torch.nn.functional as F

        from tfx_core.embedding.pooling import pool, real_states

        output = self.model(**batch, return_dict=True)
        if not hasattr(output, "last_hidden_state"):  # below the results of a head it is no item
            raise InputError(f"feature-extraction: the head {self.model.head_name!r} passes no states on")
        features, real = output.last_hidden_state.float(), real_states(output, batch["attention_mask"])
        if options.pooling != "none":
            features = pool(features, real, options.pooling)
        if options.normalize:
            features = F.normalize(features, dim=-1)
        values = features.cpu().numpy()
        if options.pooling != "none":
            return list(values)
        return [row[own] for row, own in zip(values, real.bool().cpu().numpy(), strict=True)]

    def decode(
        self, item: str, windows: Sequence[TextWindow], rows: Sequence[Features], options: FeatureExtractionOptions
    ) -> Features:
        """The array."""
        return rows[0]
