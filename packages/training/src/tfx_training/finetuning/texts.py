"""Texts that are to be made of texts: summaries, translations, answers (Lewis et al. 2020, §5; Raffel et al. 2020)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from torch import Tensor

from tfx_core import Model, ModelOutput, Tokenizer
from tfx_core.errors import InputError
from tfx_core.fields import Size, checked
from tfx_core.model.heads import IGNORED
from tfx_core.tasks import pipeline
from tfx_training.finetuning import metrics
from tfx_training.finetuning.records import Column, Record
from tfx_training.finetuning.tuning import FineTuning
from tfx_training.objective import Batch, Example, Trainee, positions_of_target, share_right

TextTask: TypeAlias = Literal["summarization", "translation", "text2text-generation"]


@dataclass(frozen=True, slots=True)
class Written:
    """A text and what is to be made of it."""

    source: str
    target: str


class Texts(FineTuning[Written]):
    """Targets of sources, behind a ``prefix``; without one, that of the model (`fit`) or none.

    In a ``translation`` object (``{"translation": {"en": …, "de": …}}``) and in columns named by them, the languages
    say which is which. ``src_lang`` and ``tgt_lang`` are the tokenizer's names of them, where it has any (mBART,
    Marian).
    """

    roles: ClassVar = {"model": "conditional-generation"}
    columns = (
        Column("source", ("source", "text", "document", "article", "dialogue", "input", "question", "translation")),
        Column("target", ("target", "summary", "highlights", "output", "answer", "translation")),
    )
    filled: ClassVar = {"labels": IGNORED}

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        length: int = 512,
        target_length: int = 128,
        task: TextTask = "text2text-generation",
        prefix: str | None = None,
        src_lang: str | None = None,
        tgt_lang: str | None = None,
    ) -> None:
        super().__init__(tokenizer, length=length)
        self.target_length = checked(target_length, Size, "target_length", InputError)
        self.task = task
        self.prefix = prefix
        self.languages = {"src_lang": src_lang, "tgt_lang": tgt_lang}
        told = {name: value for name, value in self.languages.items() if value is not None}
        self._told: dict[str, Any] = told if tokenizer.languages else {}
        tokenizer.directed(**self._told)

    @property
    def best(self) -> Sequence[str]:
        """The measures of which more is better, the one that counts most first."""
        return {"summarization": ("ROUGE-L",), "translation": ("BLEU",)}.get(self.task, ("exact match",))

    def read(self, records: Sequence[Record], columns: Mapping[str, str]) -> list[Written]:
        """Pairs of texts."""
        sides = (("source", "src_lang"), ("target", "tgt_lang"))
        return [Written(*(self._side(record, columns[side], lang) for side, lang in sides)) for record in records]

    def _side(self, record: Record, column: str, option: str) -> str:
        value = record.values.get(column)
        if isinstance(value, dict):
            language = self.languages[option]
            name = next((each for each in value if language is not None and _same(each, language)), None)
            if name is None:
                raise record.error(column, f"say with {option} which of {', '.join(map(str, value))} is meant")
            record = Record(value, record.where)
            column = name
        text = record.text(column)
        if not text.strip():
            raise record.error(column, "it is blank")
        return text

    def example(self, row: Written, generator: np.random.Generator) -> Example:
        """The tokens of the source, and those of the target as labels."""
        target = self.tokenizer(text_target=row.target, truncation=True, max_length=self.target_length, **self._told)[
            "input_ids"
        ]
        return {**self.inputs((self.prefix or "") + row.source, **self._told), "labels": np.asarray(target, np.int64)}

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """The tokens of the targets."""
        return {"loss": int((batch["labels"] != IGNORED).sum())}

    def share(self, output: ModelOutput, batch: Mapping[str, Tensor]) -> Tensor | None:
        """How many tokens are the most probable ones behind those before them."""
        return share_right(output.logits.argmax(-1), batch["labels"])

    def judged(self, trainee: Trainee, corpus: Sequence[Written]) -> Mapping[str, float]:
        """What the task writes, measured: ROUGE of summaries, BLEU and chrF of translations, else exact matches."""
        written = self._written(trainee.model("model"), [row.source for row in corpus])
        right = [row.target for row in corpus]
        if self.task == "summarization":
            return metrics.of_summaries(right, written)
        if self.task == "translation":
            return metrics.of_translations(right, written, self.languages["tgt_lang"])
        return {"exact match": metrics.accuracy([each.strip() for each in right], [each.strip() for each in written])}

    def _written(self, model: Model, sources: Sequence[str]) -> list[str]:
        task = pipeline(
            self.task,
            model,
            tokenizer=self.tokenizer,
            prefix=self.prefix or "",
            long_input="truncate",
            max_source_length=self.length,
            max_new_tokens=self.target_length,
            **self._told,
        )
        return [next(iter(answer.values())) for answer in task(sources)]

    def fit(self, model: Model, length: int | None = None) -> None:
        """As of all heads; the prefix is by default the checkpoint's for the task, and is kept there for the task."""
        super().fit(model, length)
        self.target_length = min(self.target_length, positions_of_target(model) or self.target_length)
        settings, name = model.config.extra.get("task_specific_params") or {}, self._settings_name
        stored = settings.get(name, {}).get("prefix", model.config.extra.get("prefix")) or ""
        if self.prefix is None:
            self.prefix = stored
        elif self.prefix != stored:
            own = {**settings.get(name, {}), "prefix": self.prefix}
            model.config.update({"task_specific_params": {**settings, name: own}})

    @property
    def _settings_name(self) -> str:
        """Where the task finds its settings: at a pair of languages, for a tokenizer that tells none."""
        source, target = self.languages.values()
        of_pair = self.task == "translation" and source and target and not self._told
        return f"translation_{source}_to_{target}" if of_pair else self.task


def _same(name: str, language: str) -> bool:
    """Whether two names are of one language: ``de`` and ``de_DE``."""
    return name.replace("-", "_").partition("_")[0] == language.replace("-", "_").partition("_")[0]
