"""Models that write: heads of an architecture that do, their prompts, and what plain calls make of them, step by step.

A call knows no cache: for each token it reads the whole text again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor

import tfx_core
from tfx_core.generation import DecodingState, ExtendingState
from tfx_core.model import Model, load_architecture
from tfx_core.model.heads import LanguageHead
from tfx_testing.cases import CHOICE_HEADS, ArchitectureCase
from tfx_testing.tiny import perturbed, random_ids, texts_differ

LENGTHS, NEW = (6, 3, 5), 7
"""Tokens of each prompt, and how many new ones are written."""
_VARIANTS: tuple[dict[str, Any], ...] = ({"causal": True}, {"add_cross_attention": True})
_OF_EACH_TOKEN = ("input_ids", "attention_mask", "token_type_ids", "position_ids", "inputs_embeds", "langs")
_OF_EACH_ROW = ("encoder_hidden_states", "encoder_attention_mask", "encoder_outputs", "decoder_attention_mask")


@dataclass(frozen=True)
class Writer:
    """A head that writes, with a tiny config changed so that it does as the changes say."""

    head: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    remembers: bool = False
    """Whether calls take keys and values of earlier tokens."""
    reads_source: bool = False
    """Whether it writes beside an encoder."""

    @property
    def name(self) -> str:
        """How a test calls it."""
        return "-".join((self.head, *self.changes))


def writers(cls: Any) -> Sequence[Writer]:
    """Of a class of checks, every head of its case that writes, once more with cross-attention or causal."""
    return _writers(cls)


@cache
def _writers(cls: Any) -> Sequence[Writer]:
    case: ArchitectureCase = cls.case
    if load_architecture(case.model_type).decoding is None:
        return ()
    return [writer for head in cls.heads() for writer in _writers_of(case, head)]


def one_writer(cls: Any) -> Sequence[Writer]:
    """The first of `writers`, for what does not depend on the head."""
    return writers(cls)[:1]


def writing_model(case: ArchitectureCase, writer: Writer, seed: int = 2, **changes: object) -> Model:
    """A tiny model with every parameter perturbed, so much that its texts differ; ``seed`` is that of the noise."""
    config = {**case.tiny, **writer.changes, **changes}
    made = tfx_core.new_model(case.model_type, head=writer.head, seed=1, **config).eval()
    return perturbed(made, seed, texts_differ)


def noise(*shape: int) -> Tensor:
    """Numbers, the same in each run."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


def prompts(case: ArchitectureCase, model: Model) -> dict[str, Tensor]:
    """Ragged prompts, padded on the left, or what an encoder reads; and what every call of the model needs."""
    width = max(LENGTHS)
    mask = torch.stack([torch.arange(width) >= width - length for length in LENGTHS]).long()
    given = {"input_ids": random_ids(case, len(LENGTHS), width, seed=3) * mask, "attention_mask": mask}
    if model.config.add_cross_attention and "encoder_hidden_states" in model.input_names:
        given["encoder_hidden_states"] = noise(len(LENGTHS), 4, width_of(model))
    return given


def width_of(model: Model) -> int:
    """Of the vectors that its layers read."""
    config: Any = model.config
    return int(config.hidden_size)


def start(model: Model) -> int:
    """What a decoder beside an encoder begins with."""
    token = model.config.decoder_start_token_id
    return 2 if token is None else int(token)


def of_row(inputs: Mapping[str, Any], row: int) -> dict[str, Any]:
    """The inputs of one of the texts alone, padded as it was."""
    return {name: value[row : row + 1] for name, value in inputs.items()}


def generated(model: Model, inputs: Mapping[str, Any], **options: Any) -> list[list[int]]:
    """The new tokens of each text, `NEW` of them."""
    plain = {"max_new_tokens": NEW, "eos_token_id": None, "pad_token_id": 0, "decoder_start_token_id": start(model)}
    sequences = model.generate(**inputs, **{**plain, **options})
    texts: list[list[int]] = sequences[:, -NEW:].tolist()
    return texts


def decoding(model: Model, inputs: Mapping[str, Any]) -> DecodingState:
    """A new state of what is written after prompts."""
    assert model.architecture.decoding is not None, f"{model.config.model_type} has no decoding state"
    given = dict(inputs)
    if model.config.is_encoder_decoder and "decoder_input_ids" not in given:
        given["decoder_input_ids"] = torch.full((len(given["attention_mask"]), 1), start(model))
    state: DecodingState = model.architecture.decoding(model, given)
    return state


def exact(case: ArchitectureCase, model: Model) -> bool:
    """Whether steps give what reading the whole text again gives, and tokens can be taken back.

    Not where tokens see those that follow; and a state that reads everything again keeps nothing to take back.
    """
    if not (model.backbone.causal and case.stepwise(model.config)):
        return False
    return isinstance(decoding(model, prompts(case, model)), ExtendingState)


class WholeText:
    """What plain calls give after a text of which nothing is kept: one row alone, without its padding."""

    def __init__(self, case: ArchitectureCase, model: Model, inputs: Mapping[str, Any], row: int) -> None:
        self.case, self.model = case, model
        self.text = "decoder_input_ids" if model.config.is_encoder_decoder else "input_ids"
        self.inputs = self._alone(inputs, row)

    @property
    def is_plain(self) -> bool:
        """Whether a call is given the text and nothing behind it."""
        return self.case.asked(self.model, self.inputs) is self.inputs

    def logits(self, new: Sequence[int] = ()) -> Tensor:
        """``(V,)``, of the token after the prompt and these new ones."""
        given = self._with(new)
        with torch.no_grad():
            if self.model.head_name in CHOICE_HEADS:  # whose calls have an axis of choices
                states = self.model.backbone(**given).last_hidden_state
                logits: Tensor = self.model.language_head.predictions(states)
            else:
                logits = self.model(**self.case.asked(self.model, given)).logits
        return logits[0, -1].float()

    def states(self, new: Sequence[int] = ()) -> Tensor:
        """``(T, D)``, those that the output layer reads."""
        with torch.no_grad():
            return self.model.language_head.read(self.model.backbone(**self._with(new)))[0].float()

    def _alone(self, inputs: Mapping[str, Any], row: int) -> dict[str, Any]:
        real = inputs["attention_mask"][row].bool()
        # an empty cache; a batch to learn from has labels
        own = {name: value for name, value in inputs.items() if name not in ("past_key_values", "labels")}
        for name in _OF_EACH_TOKEN:
            if name in own:
                own[name] = own[name][row : row + 1, real]
        for name in _OF_EACH_ROW:
            if name in own:
                own[name] = own[name][row : row + 1]
        if "encoder_outputs" in own:
            own["encoder_outputs"] = own["encoder_outputs"][:, real]
        if "mems" in own:
            own["mems"] = [each[:, row : row + 1] for each in own["mems"]]
        if self.model.config.is_encoder_decoder:
            begin = own[self.text][row : row + 1] if self.text in own else torch.tensor([[start(self.model)]])
            own[self.text] = begin
        elif "inputs_embeds" in own:
            del own["input_ids"]
        return own

    def _with(self, new: Sequence[int]) -> dict[str, Any]:
        """The inputs of a call: the text is some tokens longer, and what belongs to its tokens as well."""
        own, added = dict(self.inputs), torch.tensor([new], dtype=torch.long)
        if not len(new):
            return own
        if self.text in own:
            own[self.text] = torch.cat((own[self.text], added), dim=1)
        else:
            own["inputs_embeds"] = torch.cat((own["inputs_embeds"], self.model.backbone.embed(added)), dim=1)
        mask = self.text.replace("input_ids", "attention_mask")
        if mask in own:
            own[mask] = torch.cat((own[mask], torch.ones_like(added)), dim=1)
        for name in ("token_type_ids", "langs"):
            if name in own:
                own[name] = torch.cat((own[name], own[name][:, -1:].expand_as(added)), dim=1)
        if "position_ids" in own:
            after = own["position_ids"][:, -1:] + torch.arange(1, len(new) + 1)
            own["position_ids"] = torch.cat((own["position_ids"], after), dim=1)
        return own


class SteppedText:
    """The same of a model that a call of the whole text says less of: a state of its own reads each text step by step.

    It is neither copied nor reordered, and has one row.
    """

    def __init__(self, model: Model, inputs: Mapping[str, Any], row: int) -> None:
        self.model, self.inputs = model, of_row(inputs, row)

    def logits(self, new: Sequence[int] = ()) -> Tensor:
        """``(V,)``, of the token after the prompt and these new ones."""
        with torch.inference_mode():
            state = decoding(self.model, self.inputs)
            last = state.prefill().clone()
            for token in new:
                last = state.step(torch.tensor([token])).clone()
        return last[0].float()


def reader(case: ArchitectureCase, model: Model, inputs: Mapping[str, Any], row: int) -> WholeText | SteppedText:
    """What gives the logits after any text of a row without what is checked: caches, batches, beams."""
    return WholeText(case, model, inputs, row) if exact(case, model) else SteppedText(model, inputs, row)


def uncached(case: ArchitectureCase, model: Model, row: int, inputs: Mapping[str, Any], length: int = NEW) -> list[int]:
    """The most probable new tokens of a row alone, without its padding."""
    text = WholeText(case, model, inputs, row)
    new: list[int] = []
    for _ in range(length):
        new.append(int(text.logits(new).argmax()))
    return new


def _writers_of(case: ArchitectureCase, head: str) -> list[Writer]:
    plain = tfx_core.new_model(case.model_type, head=head, seed=0, **case.tiny)
    if not isinstance(plain.head, LanguageHead):
        return []
    found = [_as_made(plain, {})]
    for changes in _VARIANTS:
        if changes.keys() <= {*plain.config.field_names()}:
            changed = tfx_core.new_model(case.model_type, head=head, seed=0, **{**case.tiny, **changes})
            if "causal" in changes or changed.num_parameters() > plain.num_parameters():
                found.append(_as_made(changed, changes))
    return found


def _as_made(model: Model, changes: Mapping[str, Any]) -> Writer:
    remembers = "past_key_values" in model.input_names
    return Writer(model.head_name, changes, remembers, bool(model.config.is_encoder_decoder))
