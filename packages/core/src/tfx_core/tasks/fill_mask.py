"""Fill-mask: the most probable tokens for each mask token in a text."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias

from tfx_core.errors import InputError
from tfx_core.fields import Between, Help
from tfx_core.tasks.base import Result, Task
from tfx_core.tasks.batching import LOGITS_BYTES
from tfx_core.tasks.options import LengthOptions
from tfx_core.tasks.windows import ItemError, TextWindow, check_text, tokenize

if TYPE_CHECKING:
    from torch import Tensor

    from tfx_core.model.model import Model
    from tfx_core.text import Tokenizer


Candidates: TypeAlias = list[tuple[float, int]]
"""(probability, token id), the most probable first."""


@dataclass(frozen=True, kw_only=True)
class FillMaskOptions(LengthOptions):
    """Options of `FillMask`."""

    top_k: Annotated[int, Between(1), Help("candidates for each mask, the most probable first")] = 5
    targets: Annotated[tuple[str, ...] | None, Help("score only these tokens instead of the whole vocabulary")] = None


class FillMask(Task[FillMaskOptions, str, list[Candidates]]):
    """Texts with mask tokens in, candidates out: dicts with ``score``, ``token``, ``token_str`` and ``sequence``.

    The result is a list of candidates for a text with one mask, and a list of such lists for a text with several; each
    mask is then filled by itself, the others staying in its ``sequence``.
    """

    name = "fill-mask"
    heads = ("masked-lm", "pretraining")
    options_type = FillMaskOptions

    def __init__(self, model: "Model", tokenizer: "Tokenizer", **options: object) -> None:
        super().__init__(model, tokenizer, **options)
        if tokenizer.mask_token_id is None:
            raise InputError(
                "fill-mask needs a tokenizer with a mask token; this one has none: load it with mask_token=, the token "
                "that the model was trained with"
            )
        self._mask = tokenizer.mask_token_id

    def check_model(self, model: "Model") -> None:
        """Refuse pretraining that tells something else of tokens than which they were."""
        super().check_model(model)
        if "predictions" not in model.head._modules:
            raise InputError(
                f"fill-mask: the head {model.head_name!r} of this {model.config.model_type} scores no tokens; "
                "use a checkpoint with the head 'masked-lm'"
            )

    def check_options(self, options: FillMaskOptions) -> None:
        """Refuse targets that stand for no token; warn of those that are more than one."""
        if options.targets is not None and not options.targets:
            raise InputError("fill-mask: targets is empty; name the tokens to score, or leave it out for all")
        for target in options.targets or ():
            ids = self._ids(target)
            if not ids:
                raise InputError(f"fill-mask: the tokenizer makes no token of the target {target!r}")
            first = self.tokenizer.convert_ids_to_tokens(ids[0])
            if len(ids) > 1:
                warnings.warn(f"target {target!r} is {len(ids)} tokens; scoring the first, {first!r}", stacklevel=4)
            elif ids[0] == self.tokenizer.unk_token_id and target != first:
                warnings.warn(f"target {target!r} is not known to the tokenizer; scoring {first!r}", stacklevel=4)

    def parse(self, value: object, options: FillMaskOptions) -> str:
        """A string."""
        return check_text(value)

    def encode(self, items: Sequence[str], options: FillMaskOptions) -> list[list[TextWindow]]:
        """One window each, with at least one mask token in it."""
        windows = tokenize(
            self.model, self.tokenizer, items, truncation=options.truncation, max_length=options.max_length
        )
        for index, (text, window) in enumerate(zip(items, windows, strict=True)):
            if self._mask not in window.features["input_ids"]:
                mask = str(self.tokenizer.mask_token)
                reason = f"{mask} is cut off" if mask in text else f"the text has no {mask}"
                raise ItemError(index, f"{reason}; this model's mask token marks the place to fill")
        return [[window] for window in windows]

    def compute(
        self, batch: "Mapping[str, Tensor]", windows: Sequence[TextWindow], options: FillMaskOptions
    ) -> list[list[Candidates]]:
        """The candidates of every mask of every row."""
        masks = batch["input_ids"].eq(self._mask).nonzero()  # (masks, 2): row and place
        rows = masks[:, 0]
        places = {"logits_positions": masks} if self._predicts_anywhere else {}
        output = self.model(**batch, **places, return_dict=True)
        logits = output.prediction_logits if "prediction_logits" in output else output.logits
        logits = logits if places else logits[rows, masks[:, 1]]
        probabilities = logits.float().softmax(-1)  # (masks, V)
        if options.targets is None:
            scores, ids = probabilities.topk(min(options.top_k, probabilities.shape[-1]))
        else:
            wanted = sorted({self._ids(target)[0] for target in options.targets})
            targets = batch["input_ids"].new_tensor(wanted)
            scores, order = probabilities[:, targets].topk(min(options.top_k, len(targets)))
            ids = targets[order]
        candidates: list[list[Candidates]] = [[] for _ in windows]
        for row, *found in zip(rows.tolist(), scores.tolist(), ids.tolist(), strict=True):
            candidates[row].append(list(zip(*found, strict=True)))
        return candidates

    def decode(
        self, item: str, windows: Sequence[TextWindow], rows: Sequence[list[Candidates]], options: FillMaskOptions
    ) -> Result:
        """A list of dicts for one mask, a list of such lists for several."""
        (window,), (masks,) = windows, rows
        tokens = window.features["input_ids"]
        places = [place for place, token in enumerate(tokens) if token == self._mask]
        filled = [
            [self._candidate(tokens, place, score, token) for score, token in candidates]
            for place, candidates in zip(places, masks, strict=True)
        ]
        return filled[0] if len(filled) == 1 else filled

    def token_budget(self, options: FillMaskOptions) -> int:
        """As many tokens as keep the logits within `LOGITS_BYTES`, where they are computed for every token."""
        budget = super().token_budget(options)
        if options.batch_tokens is not None or self._predicts_anywhere:
            return budget
        return min(budget, max(1, LOGITS_BYTES // (4 * len(self.tokenizer))))

    @property
    def _predicts_anywhere(self) -> bool:
        """Whether the head can be asked for the logits of the masks alone."""
        return "logits_positions" in self.model.input_names

    def _candidate(self, tokens: Sequence[int], place: int, score: float, token: int) -> dict[str, float | int | str]:
        special = {number for number, added in self.tokenizer.added_tokens_decoder.items() if added.special}
        filled = [*tokens[:place], token, *tokens[place + 1 :]]
        return {
            "score": score,
            "token": token,
            "token_str": self.tokenizer.decode([token]),
            # with several masks the others are part of the sequence
            "sequence": self.tokenizer.decode(
                [
                    number
                    for at, number in enumerate(filled)
                    if number not in special or (number == self._mask and at != place)
                ]
            ),
        }

    def _ids(self, target: str) -> list[int]:
        """Ids of a target: of the token of this very name, else what the tokenizer makes of it."""
        token = self.tokenizer.vocabulary.id(target)
        if token is not None:
            return [token]
        return list(self.tokenizer(target, add_special_tokens=False)["input_ids"])
