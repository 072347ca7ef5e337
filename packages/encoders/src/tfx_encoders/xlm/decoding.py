"""How XLM and FlauBERT write a text: the logits of a mask that stands behind it predict the next token.

That is how the reference does it, whose texts these are; causal or not, every language model of the two writes so.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tfx_core.generation import REPORTS, RowByRow, check_used
from tfx_core.model import CausalDecoding, Model, ModelOutput
from tfx_core.nn import AttentionKernel, RealTokens, last_tokens
from tfx_encoders.xlm.config import XLMConfig
from tfx_encoders.xlm.model import XLMBackbone

_OF_TOKENS = ("input_ids", "inputs_embeds", "attention_mask", "langs", "position_ids")
_USED = frozenset({*_OF_TOKENS, "head_mask", "attention"})
_OF_CAUSAL = frozenset({"past_key_values", *REPORTS})


def xlm_decoding(model: Model, inputs: Mapping[str, Any]) -> "BehindCache | ReadAgain":
    """The state of one generation; raises `InputError` for a head that cannot generate and inputs that it ignores.

    A text that does not say its languages is in that of the config's ``lang_id``. ``token_type_ids``, which the
    tokenizer gives, are left out, as in the reference.
    """
    predictions, backbone, config = model.language_head.predictions, model.backbone, model.config
    assert isinstance(backbone, XLMBackbone)
    assert isinstance(config, XLMConfig)
    given = {name: x for name, x in inputs.items() if name != "token_type_ids"}
    check_used(given, _USED | _OF_CAUSAL if backbone.causal else _USED)
    tokens = given["inputs_embeds"] if "inputs_embeds" in given else given["input_ids"]
    if config.speaks and config.lang_id is not None and "langs" not in given:
        given["langs"] = tokens.new_full(tokens.shape[:2], config.lang_id, dtype=torch.long)
    kind = BehindCache if backbone.causal else ReadAgain
    return kind(backbone, predictions, given, model.attention, config.mask_token_id)


def followed(text: Mapping[str, Tensor], ids: Tensor, embed: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """A text's inputs with one more token ``(R, 1)``, of the last one's language, at the position after it."""

    def added(name: str, value: Tensor) -> Tensor:
        if name == "input_ids":
            return ids
        if name == "inputs_embeds":
            return embed(ids)
        if name == "attention_mask":
            return torch.ones_like(ids)
        return last_tokens(value[..., None], text["attention_mask"]) + (name == "position_ids")

    return {name: torch.cat((value, added(name, value).to(value)), dim=1) for name, value in text.items()}


class BehindCache(CausalDecoding):
    """`CausalDecoding` of a causal model: keys and values of the text are kept, the mask's are forgotten each time."""

    continued = ("langs",)

    def __init__(
        self,
        decoder: XLMBackbone,
        predictions: nn.Module,
        inputs: Mapping[str, Any],
        attention: AttentionKernel,
        mask_token: int,
    ) -> None:
        super().__init__(decoder, predictions, inputs, attention)
        self._embed, self._mask_token = decoder.embed, mask_token
        self._of_mask = torch.empty(0)
        """The mask's state ``(R, D)``."""

    def extend(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Append the first ``lengths[i]`` of ``(R, n)`` tokens to row ``i``; the logits ``(R, n, V)`` after each.

        One after the other, since each needs a mask of its own behind it.
        """
        self._last_length += ids.shape[1]
        logits = []
        for column in range(ids.shape[1]):
            self._append(ids[:, column, None], (lengths > column).long())
            logits.append(self._logits(self._of_mask))
        return torch.stack(logits, dim=1)

    def reports(self) -> dict[str, tuple[Tensor, ...]]:
        """Those of the last call; of a single token's, those of the mask behind it, which predicts."""
        found = super().reports()
        return {
            name: tuple(each[..., 1:, :] if each.shape[-2] == 2 else each for each in layers)
            for name, layers in found.items()
        }

    def _next_logits(self, state: Tensor) -> Tensor:
        return self._logits(self._of_mask)

    def _run(self, **inputs: Tensor) -> ModelOutput:
        tokens = next(inputs[name] for name in ("input_ids", "inputs_embeds") if name in inputs)
        real = RealTokens.of(tokens, inputs.get("attention_mask"))
        text = {**inputs, "attention_mask": real.dense_mask.long()}
        if "position_ids" in text:
            text["position_ids"] = real.of_each(text["position_ids"], "position_ids")
        mask = torch.full((len(tokens), 1), self._mask_token, device=tokens.device)
        output = super()._run(**followed(text, mask, self._embed))
        self._known_cache.keep(torch.zeros(len(tokens), dtype=torch.long, device=tokens.device), of=1)
        states = output.last_hidden_state
        self._of_mask = states[:, -1]
        return output.updated(last_hidden_state=states[:, :-1])


class ReadAgain(RowByRow):
    """The `DecodingState` of a model in which every token sees the mask: each step reads the whole text again."""

    def __init__(
        self,
        backbone: XLMBackbone,
        predictions: nn.Module,
        inputs: Mapping[str, Any],
        attention: AttentionKernel,
        mask_token: int,
    ) -> None:
        self._backbone = backbone
        self._predictions = predictions
        self._constant: dict[str, Any] = {
            "attention": attention,
            **{name: x for name, x in inputs.items() if name not in _OF_TOKENS},
        }
        tokens = inputs["inputs_embeds"] if "inputs_embeds" in inputs else inputs["input_ids"]
        real = RealTokens.of(tokens, inputs.get("attention_mask"))
        of_each = {name: real.of_each(inputs[name], name) for name in ("langs", "position_ids") if name in inputs}
        given = {name: x for name, x in inputs.items() if name in ("input_ids", "inputs_embeds")}
        self._text: dict[str, Tensor] = {**given, **of_each, "attention_mask": real.dense_mask.long()}
        self._mask_token = mask_token
        super().__init__(len(tokens), tokens.device)

    def prefill(self) -> Tensor:
        """Read the prompts; the logits ``(B, V)`` of the masks behind them."""
        mask = torch.full((self._rows, 1), self._mask_token, device=self._device)
        text: dict[str, Any] = followed(self._text, mask, self._backbone.embed)
        logits: Tensor = self._predictions(self._backbone(**text, **self._constant).last_hidden_state[:, -1])
        return logits

    def step(self, ids: Tensor) -> Tensor:
        """Append one token ``(R,)`` to every row; the logits ``(R, V)`` of the masks behind them."""
        self._text = followed(self._text, ids[:, None], self._backbone.embed)
        return self.prefill()

    def take(self, rows: Tensor) -> None:
        """Row ``i`` becomes what row ``rows[i]`` was."""
        self._text = {name: value.index_select(0, rows) for name, value in self._text.items()}
