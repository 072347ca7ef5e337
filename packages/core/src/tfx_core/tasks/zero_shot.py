"""Zero-shot classification: which labels fit a text, asked of a model that was trained to tell what follows from what.

Each label makes a hypothesis, and the model's class for entailment says how well it follows from the text (Yin et al.
2019, "Benchmarking zero-shot text classification").
"""

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np

from tfx_core.errors import InputError, shown
from tfx_core.fields import Help, checked
from tfx_core.tasks.base import Progress, Result, Task
from tfx_core.tasks.options import LengthOptions, Separated
from tfx_core.tasks.text_classification import Logits, apply
from tfx_core.tasks.windows import ItemError, TextWindow, check_text, in_groups, length_limit, tokenize

if TYPE_CHECKING:
    from torch import Tensor

    from tfx_core.model.config import ModelConfig
    from tfx_core.model.model import Model

PLACE = "{}"
"""Where in the template of the hypotheses a label stands."""

LABELS = Separated(",")


@dataclass(frozen=True, slots=True)
class Candidates:
    """A text and the labels that it may have."""

    text: str
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ZeroShotOptions(LengthOptions):
    """Options of `ZeroShotClassification`."""

    candidate_labels: Annotated[
        tuple[str, ...] | None, LABELS, Help("labels to choose from, with commas between, for texts without their own")
    ] = None
    hypothesis_template: Annotated[str, Help("what is said of a text with a label, which goes in the place of {}")] = (
        f"This example is {PLACE}."
    )
    multi_label: Annotated[bool, Help("score each label by itself, as where several or none can be right")] = False
    truncation: Annotated[bool, Help("cut texts that are longer than the model takes; labels stay whole")] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if PLACE not in check_text(self.hypothesis_template, "hypothesis_template"):
            raise InputError(
                f"hypothesis_template={shown(self.hypothesis_template)}: needs {PLACE} where the label goes"
            )
        if self.candidate_labels is not None:
            check_labels(self.candidate_labels)


class ZeroShotClassification(Task[ZeroShotOptions, Candidates, Logits]):
    """Texts, or ``{"text": …, "candidate_labels": […]}``, in; ``sequence``, ``labels`` and ``scores`` out, best first.

    The scores of a text sum to 1, unless ``multi_label`` or a label that is the only one has them say, each by itself,
    how much more likely entailment is than contradiction. Which classes these are, their names say.
    """

    name = "zero-shot-classification"
    heads = ("sequence-classification",)
    options_type = ZeroShotOptions

    def __call__(
        self,
        inputs: object = None,
        candidate_labels: object = None,
        *,
        progress: Progress | bool | None = None,
        **options: object,
    ) -> Result:
        """As of every task; the labels may be a second argument, and ``sequences=`` are inputs as well."""
        if "sequences" in options:
            if inputs is not None:
                raise InputError(f"{self.name}: give the inputs, or sequences=, not both")
            inputs = options.pop("sequences")
        given = {} if candidate_labels is None else {"candidate_labels": candidate_labels}
        return super().__call__(inputs, progress=progress, **given, **options)

    def check_model(self, model: "Model") -> None:
        """Refuse a model without a class for entailment."""
        super().check_model(model)
        entailment(model.config)

    def check_options(self, options: ZeroShotOptions) -> None:
        """Refuse labels by themselves where no class is contradiction."""
        if options.multi_label:
            contradiction(self.model.config)

    def check_texts(self, options: ZeroShotOptions) -> None:
        """Refuse options without labels."""
        if options.candidate_labels is None:
            raise InputError(
                "a text alone needs the option candidate_labels; or give {'text': …, 'candidate_labels': […]}"
            )

    def parse(self, value: object, options: ZeroShotOptions) -> Candidates:
        """A text with the labels of the options, or its own."""
        labels = options.candidate_labels
        if isinstance(value, Mapping):
            if value.keys() != {"text", "candidate_labels"}:
                raise InputError(f"keys {sorted(map(str, value))}: a dict has 'text' and 'candidate_labels'")
            own = checked(_parts(value["candidate_labels"]), tuple[str, ...], "candidate_labels", InputError)
            value, labels = value["text"], check_labels(own)
        if labels is None:
            self.check_texts(options)
        assert labels is not None
        if len(labels) == 1:
            contradiction(self.model.config)
        return Candidates(check_text(value), labels)

    def encode(self, items: Sequence[Candidates], options: ZeroShotOptions) -> list[list[TextWindow]]:
        """One window for each label of each text."""
        texts = [item.text for item in items for _ in item.labels]
        hypotheses = [options.hypothesis_template.replace(PLACE, label) for item in items for label in item.labels]
        cut = options.truncation or options.max_length is not None
        return in_groups(
            [len(item.labels) for item in items],
            lambda: tokenize(
                self.model,
                self.tokenizer,
                texts,
                self._with_room(hypotheses, options) if cut else hypotheses,
                truncation="only_first" if cut else False,
                max_length=options.max_length,
            ),
        )

    def compute(
        self, batch: "Mapping[str, Tensor]", windows: Sequence[TextWindow], options: ZeroShotOptions
    ) -> list[Logits]:
        """The logits, (C,) each."""
        return list(self.model(**batch, return_dict=True).logits.float().cpu().numpy())

    def decode(
        self, item: Candidates, windows: Sequence[TextWindow], rows: Sequence[Logits], options: ZeroShotOptions
    ) -> Result:
        """The labels with their scores, the best first."""
        logits, entailed = np.stack(rows), entailment(self.model.config)  # (labels, C)
        if options.multi_label or len(item.labels) == 1:
            scores = apply("softmax", logits[:, [contradiction(self.model.config), entailed]])[:, 1]
        else:
            scores = apply("softmax", logits[:, entailed])
        order = np.argsort(-scores, kind="stable").tolist()
        return {
            "sequence": item.text,
            "labels": [item.labels[index] for index in order],
            "scores": [float(scores[index]) for index in order],
        }

    def rows_of(self, value: object, options: ZeroShotOptions) -> int:
        """One for each label."""
        labels = value.get("candidate_labels") if isinstance(value, Mapping) else options.candidate_labels
        return len(parts) if isinstance(parts := _parts(labels), Sized) else 1

    def _with_room(self, hypotheses: list[str], options: ZeroShotOptions) -> list[str]:
        """The hypotheses; `ItemError` for one that leaves no token for its text."""
        limit = length_limit(self.model, self.tokenizer, options.max_length)
        if limit is None:
            return hypotheses
        room = limit - self.tokenizer.num_special_tokens_to_add(pair=True)
        sizes = {each: len(self.tokenizer(each, add_special_tokens=False)["input_ids"]) for each in {*hypotheses}}
        for row, hypothesis in enumerate(hypotheses):
            if sizes[hypothesis] >= room:
                reason = f"the hypothesis {shown(hypothesis)} has {sizes[hypothesis]} tokens"
                raise ItemError(row, f"{reason}, and in {limit} no room is left for the text; give a shorter label")
        return hypotheses


def _parts(labels: object) -> object:
    """Labels in one string, each by itself; anything else as it is."""
    return LABELS.parts(labels) if isinstance(labels, str) else labels


def check_labels(labels: tuple[str, ...]) -> tuple[str, ...]:
    """The labels to choose from; `InputError` where there is none, one is blank, or one is there twice."""
    if not labels:
        raise InputError("candidate_labels is empty; name the labels to choose from")
    seen: set[str] = set()
    for number, label in enumerate(labels, 1):
        if not check_text(label, "a label").strip():
            raise InputError(f"candidate_labels={shown(labels)}: label {number} is blank")
        if label in seen:
            raise InputError(f"candidate_labels={shown(labels)}: {shown(label)} is there twice")
        seen.add(label)
    return labels


def entailment(config: "ModelConfig") -> int:
    """The class whose name begins with "entail"; `InputError` where there is none."""
    return _class_named(config, "entailment", "entail")


def contradiction(config: "ModelConfig") -> int:
    """The class whose name begins with "contradict" or "not", else the other one of two; `InputError` without."""
    if len(config.id2label) == 2:
        return 1 - entailment(config)
    return _class_named(config, "contradiction", "contradict", "not")


def _class_named(config: "ModelConfig", meaning: str, *beginnings: str) -> int:
    for beginning in beginnings:
        for number, label in config.id2label.items():
            if label.lower().startswith(beginning):
                return number
    raise InputError(
        f"zero-shot-classification needs a model of entailment: no class of this one, {list(config.id2label.values())},"
        f" is named {meaning}; if one means it, say so with id2label=, or in the model's config.json: "
        '{0: "contradiction", 1: "neutral", 2: "entailment"}'
    )
