"""A small model taught by a large one: how DistilBERT was pretrained (Sanh et al. 2019)."""

import math
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tfx_core import Model, Tokenizer, load_model, new_model
from tfx_core.errors import InputError
from tfx_core.fields import Above, Count, Positive, checked
from tfx_core.model import load_architecture
from tfx_core.model.heads import IGNORED
from tfx_training.corpus import TokenCorpus
from tfx_training.objective import Batch, Outcome, Trainee
from tfx_training.objectives.masked_words import HiddenWords, mean_loss
from tfx_training.packing import Packing
from tfx_training.token_tables import rows_of_table

HEAD = "masked-lm"


class Distillation(HiddenWords):
    """A student learns hidden tokens, the teacher's probabilities of all tokens, and the direction of its states.

    ``teacher`` is a model with the head ``"masked-lm"``, or the folder or hub id of one. Its probabilities and the
    student's are compared at ``temperature``, at all real tokens, or with ``hidden_only`` where one is hidden. A term
    whose weight is 0 is left out. New students have half of the teacher's layers and else its sizes, and begin as its
    ``layers``, see `copy_layers`: by default evenly spread ones; with ``()`` as any new model.
    Source: Sanh et al. 2019, §2–3; ``distiller.py`` of huggingface/transformers, research projects.
    """

    roles: ClassVar = {"student": HEAD}
    terms: ClassVar = {"soft targets": 5.0, "hidden tokens": 2.0, "states": 1.0}

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        teacher: Model | str | Path,
        length: int = 512,
        packing: Packing = "document-sentences",
        whole_words: bool = False,
        share: float = 0.15,
        language_exponent: float = 0.3,
        temperature: float = 2.0,
        soft_weight: float = 5.0,
        hidden_weight: float = 2.0,
        states_weight: float = 1.0,
        hidden_only: bool = False,
        layers: Sequence[int] | None = None,
    ) -> None:
        super().__init__(
            tokenizer,
            length=length,
            packing=packing,
            whole_words=whole_words,
            share=share,
            language_exponent=language_exponent,
        )
        self.teacher = teacher if isinstance(teacher, Model) else load_model(teacher, head=HEAD)
        self.temperature = checked(temperature, Annotated[float, Above(0)], "temperature", InputError)
        self.hidden_only = checked(hidden_only, bool, "hidden_only", InputError)
        self.layers = checked(layers, Sequence[Count] | None, "layers", InputError)
        given = {"soft": soft_weight, "hidden": hidden_weight, "states": states_weight}
        self.weights = tuple(checked(each, Positive, f"{name}_weight", InputError) for name, each in given.items())
        # for the class it is those that were published
        vars(self)["terms"] = {
            term: weight for term, weight in zip(type(self).terms, self.weights, strict=True) if weight
        }
        self.teacher_digest = _digest(self.teacher)  # by which a training knows whether it goes on with the same one
        self._check_teacher()

    def _check_teacher(self) -> None:
        if self.teacher.head_name != HEAD:
            raise InputError(f"the teacher has the head {self.teacher.head_name!r}: load it with head={HEAD!r}")
        needed = rows_of_table(self.tokenizer)
        if _vocabulary(self.teacher) < needed:
            raise InputError(
                f"the teacher has {_vocabulary(self.teacher)} tokens and the tokenizer {needed}: give the "
                "teacher's own tokenizer"
            )
        self.check_positions("teacher", self.teacher)
        if not self.terms:
            raise InputError("soft_weight=0, hidden_weight=0, states_weight=0: one of them must be more than 0")

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """All real tokens, special ones included, but those guessed, which are hidden."""
        real, hidden = int(batch["attention_mask"].sum()), int((batch["labels"] != IGNORED).sum())
        counts = {"soft targets": hidden if self.hidden_only else real, "hidden tokens": hidden, "states": real}
        return {term: counts[term] for term in self.terms}

    def trainee(self, models: Mapping[str, Model]) -> "Taught":
        """The student, with its teacher; raises `InputError` for one that cannot be compared with it."""
        self.check_roles(models)
        student = models["student"]
        if _vocabulary(student) != _vocabulary(self.teacher):
            raise InputError(
                f"the student has {_vocabulary(student)} tokens and the teacher {_vocabulary(self.teacher)}: both need "
                f"the same ones; make the student with vocab_size={_vocabulary(self.teacher)}"
            )
        if "states" in self.terms and student.backbone.width != self.teacher.backbone.width:
            raise InputError(
                f"the student's states are {student.backbone.width} wide and the teacher's "
                f"{self.teacher.backbone.width}: make the student as wide, or leave the states out with states_weight=0"
            )
        return Taught(student, self.teacher, self.terms, temperature=self.temperature, hidden_only=self.hidden_only)

    def of_tokenizer(self) -> Mapping[str, Any]:
        """The vocabulary is as large as the teacher's."""
        return {**super().of_tokenizer(), "vocab_size": _vocabulary(self.teacher)}

    def new_models(self, model_type: str, *, seed: int, **config: Any) -> Mapping[str, Model]:
        """A student with the teacher's sizes where the config says nothing else."""
        kind = load_architecture(model_type).config
        sizes = {kind.aliases.get(name, name): size for name, size in _sizes(self.teacher).items()}
        given = {kind.aliases.get(name, name): value for name, value in {**self.of_tokenizer(), **config}.items()}
        config = {**{name: size for name, size in sizes.items() if name in kind.field_names()}, **given}
        student = new_model(model_type, head=HEAD, seed=seed, **config)
        if self.layers is None or len(self.layers):
            copy_layers(self.teacher, student, self.layers)
        return {"student": student}

    def measures(
        self, losses: Mapping[str, float], right: Mapping[str, float], corpus: TokenCorpus
    ) -> Mapping[str, float]:
        """The losses, the perplexity of hidden tokens, and how many are guessed."""
        found = super().measures(losses, right, corpus)
        hidden = losses.get("hidden tokens")
        return found if hidden is None else {"perplexity": math.exp(min(hidden, 700)), **found}

    @property
    def main_measure(self) -> str:
        """The perplexity, by which a student is as good as any other model; without hidden tokens the first loss."""
        return "perplexity" if "hidden tokens" in self.terms else next(iter(self.terms))


def _vocabulary(model: Model) -> int:
    return len(model.get_input_embeddings().get_parameter("weight"))


def _digest(model: Model) -> int:
    """A number that tells models apart, of a little of each tensor."""
    digest = 0
    for parameter in model.parameters():
        digest = zlib.crc32(parameter.detach().flatten()[:64].float().cpu().numpy().tobytes(), digest)
    return digest


def _sizes(teacher: Model) -> Mapping[str, int]:
    """Keys of the config of a student that is half as deep."""
    names = ("hidden_size", "intermediate_size", "num_attention_heads", "max_position_embeddings")
    sizes = {name: getattr(teacher.config, name, None) for name in names}
    deep = getattr(teacher.config, "num_hidden_layers", None)
    sizes["num_hidden_layers"] = None if deep is None else -(-deep // 2)
    return {name: size for name, size in sizes.items() if size is not None}


class Taught(Trainee):
    """A student beside its teacher, which learns nothing and is no part of states or parameters.

    The teacher is always in evaluation mode.
    """

    def __init__(
        self,
        student: Model,
        teacher: Model,
        terms: Mapping[str, float],
        *,
        temperature: float = 2.0,
        hidden_only: bool = False,
    ) -> None:
        super().__init__({"student": student})
        self._teacher = (teacher.eval().requires_grad_(False),)  # in a tuple torch does not see it
        self.terms = tuple(terms)
        self.temperature = temperature
        self.hidden_only = hidden_only

    @property
    def teacher(self) -> Model:
        """The teacher."""
        return self._teacher[0]

    def _teacher_on(self, device: torch.device) -> Model:
        """It follows the batches, for what moves a module does not see it."""
        return self.teacher if self.teacher.device == device else self.teacher.to(device)

    def forward(self, batch: Mapping[str, Tensor], carried: Any = None) -> Outcome:
        """The terms, of hidden tokens where ``labels`` say so and of all real tokens."""
        real = batch["attention_mask"].bool()
        labels = batch["labels"][real]  # (N,)
        hidden = labels != IGNORED
        logits, states = _run(self.model("student"), batch, real)
        with torch.no_grad():
            soft, towards = _run(self._teacher_on(labels.device), batch, real)
        compared = hidden if self.hidden_only else slice(None)
        losses = {
            "soft targets": lambda: soft_target_loss(logits[compared], soft[compared], self.temperature),
            "hidden tokens": lambda: mean_loss(logits[hidden], labels[hidden]),
            "states": lambda: (1 - F.cosine_similarity(states, towards, dim=-1)).mean(),
        }
        found = {term: losses[term]() for term in self.terms}
        if self.training or "hidden tokens" not in found:
            return Outcome(found)
        return Outcome(found, {"hidden tokens": (logits[hidden].argmax(-1) == labels[hidden]).float().mean()})


def _run(model: Model, batch: Mapping[str, Tensor], real: Tensor) -> tuple[Tensor, Tensor]:
    """The logits ``(N, V)`` and the last states ``(N, D)`` of the real tokens."""
    inputs = {name: value for name, value in batch.items() if name in model.input_names and name != "labels"}
    output = model(**inputs, logits_positions=real.nonzero())
    return output.logits.float(), output.last_hidden_state[real].float()


def soft_target_loss(logits: Tensor, targets: Tensor, temperature: float = 1.0) -> Tensor:
    """The mean divergence of softmaxes at a temperature T, of ``(N, V)`` from those of ``targets``, times T².

    So its gradients are as large as those of hard targets.
    Source: Hinton et al. 2015, §2; ``distiller.py`` of huggingface/transformers, ``step``.
    """
    ours, theirs = (F.log_softmax(each / temperature, dim=-1) for each in (logits, targets))
    return F.kl_div(ours, theirs, reduction="batchmean", log_target=True) * temperature**2


_LAYER = re.compile(r"(?<=\.layers\.)\d+(?=\.)")


def copy_layers(teacher: Model, student: Model, layers: Sequence[int] | None = None) -> None:
    """Fill a student with the tensors of a teacher that is built alike: each of its layers with one of ``layers``.

    By default these are spread evenly, the first and the last among them: 0, 2, 4, 7, 9, 11 of twelve for six.
    Embeddings and head are copied, too; what the student lacks, such as token types, is left behind. Raises
    `InputError` where it has what the teacher has not, or of another shape.
    Source: Sanh et al. 2019, §2; ``scripts/extract_distilbert.py`` of huggingface/transformers, research projects.
    """
    own, theirs = (dict(model.named_parameters(remove_duplicate=False)) for model in (student, teacher))
    chosen = _chosen(_depth(own), _depth(theirs), layers)
    origins = {name: _LAYER.sub(lambda found: str(chosen[int(found[0])]), name) for name in own}
    for name, origin in origins.items():
        if origin not in theirs or theirs[origin].shape != own[name].shape:
            there = tuple(theirs[origin].shape) if origin in theirs else "nothing"
            raise InputError(
                f"{name} of the student is {tuple(own[name].shape)}, and {origin} of the teacher {there}: make a "
                "student of the same sizes, or one that begins anew with layers=()"
            )
    with torch.no_grad():
        for name, origin in origins.items():
            own[name].copy_(theirs[origin])


def _depth(names: Mapping[str, Tensor]) -> int:
    return 1 + max((int(found[0]) for found in map(_LAYER.search, names) if found), default=-1)


def _chosen(wanted: int, given: int, layers: Sequence[int] | None) -> Sequence[int]:
    """The teacher's layer for each of the student's."""
    if layers is None and wanted <= given:
        return [round(place) for place in np.linspace(0, given - 1, wanted).tolist()]
    if layers is None:
        raise InputError(f"the student has {wanted} layers and the teacher {given}: say with layers which to copy")
    if len(layers) != wanted or not all(0 <= layer < given for layer in layers):
        raise InputError(
            f"layers={list(layers)}: must be {wanted}, one for each layer of the student, from 0 to {given - 1}"
        )
    return layers
