"""Which tokens a small generator has put in the place of others: how ELECTRA was pretrained (Clark et al. 2020)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from tfx_core import Model, Tokenizer, new_model
from tfx_core.errors import InputError
from tfx_core.fields import Above, Rate, checked
from tfx_core.model import ModelConfig
from tfx_core.model.heads import IGNORED
from tfx_training.corpus.tokens import Places
from tfx_training.framing import Framed, Framing
from tfx_training.objective import Batch, Example, Outcome, Trainee, padded
from tfx_training.objectives.masked_words import HiddenWords, mean_loss
from tfx_training.objectives.masking import Fates, Masking
from tfx_training.packing import Packed, Packing


class ReplacedTokens(HiddenWords):
    """A generator fills what is hidden of a text, and a discriminator tells which tokens are not the text's own.

    Of a ``share`` of the tokens that are hidden so many as ``masked`` says become the mask token, and the rest stay as
    they are. What the generator puts in their places is drawn, at ``temperature``, and no gradient goes through it.
    Both learn together, with the same embeddings where ``tied``. A new generator has ``generator_size`` of the
    discriminator's widths, see `generator_sizes`.

    Where the tokenizer has token types, a row is two segments of whole sentences, see `second_segment`; ``alone`` of
    them are one, as is a row in which no sentence ends. All rows are filled; that code makes one of twenty of any
    length from 5 tokens on.
    Source: Clark et al. 2020, §3, table 6; google-research/electra, ``run_pretraining.py``, ``pretrain_helpers.py``,
    ``build_pretraining_dataset.py``.
    """

    roles: ClassVar = {"discriminator": "pretraining", "generator": "masked-lm"}
    terms: ClassVar = {"discriminator": 50.0, "generator": 1.0}

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        length: int = 512,
        packing: Packing = "document-sentences",
        whole_words: bool = False,
        share: float = 0.15,
        masked: float = 0.85,
        alone: float = 0.1,
        temperature: float = 1.0,
        generator_size: float = 0.25,
        tied: bool = True,
    ) -> None:
        super().__init__(tokenizer, length=length, packing=packing, whole_words=whole_words, share=share)
        fates = Fates(checked(masked, Rate, "masked", InputError), 0.0)
        self.masking = Masking(tokenizer, share=share, unit=self.masking.unit, fates=fates)
        self.alone = checked(alone, Rate, "alone", InputError)
        self.temperature = checked(temperature, Annotated[float, Above(0)], "temperature", InputError)
        self.generator_size = checked(generator_size, Annotated[float, Above(0, 1)], "generator_size", InputError)
        self.tied = checked(tied, bool, "tied", InputError)
        self._pair = Framing(tokenizer, pair=True) if "token_type_ids" in tokenizer.model_input_names else None
        self._pair_room = 0 if self._pair is None else self._pair.room(self.length, 2)

    def example(self, row: Packed, generator: np.random.Generator) -> Example:
        """The row with special tokens around it or its segments, hidden in part."""
        framed = self._framed(row, generator)
        masked = self.masking(framed.tokens, generator)
        columns = {"input_ids": masked.ids, "attention_mask": np.ones_like(masked.ids), "labels": masked.labels}
        return columns if self._pair is None else {**columns, "token_type_ids": framed.types}

    def _framed(self, row: Packed, generator: np.random.Generator) -> Framed:
        if self._pair is not None and generator.random() >= self.alone:
            room = self._pair_room
            second = second_segment(row.sentence_ends, len(row.tokens.ids), room // 2, generator)
            if 0 < second < room:
                return self._pair(row.tokens.between(0, second), row.tokens.between(second, room))
        return self._framing(row.tokens)

    def batch(self, examples: Sequence[Example]) -> Batch:
        """``input_ids``, ``attention_mask``, ``labels`` and, where there are any, ``token_type_ids``: ``(B, S)``."""
        fill = {"input_ids": self._padding, "attention_mask": 0, "labels": IGNORED}
        return padded(examples, {**fill, "token_type_ids": self.tokenizer.pad_token_type_id})

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """The generator guesses hidden tokens, the discriminator judges all, special ones included."""
        hidden, real = batch["labels"] != IGNORED, batch["attention_mask"]
        return {"discriminator": int(real.sum()), "generator": int(hidden.sum())}

    def trainee(self, models: Mapping[str, Model]) -> "Detection":
        """Both as one module, from now on with the same embeddings where ``tied``."""
        self.check_roles(models)
        return Detection(models, temperature=self.temperature, tied=self.tied)

    def new_models(self, model_type: str, *, seed: int, **config: Any) -> Mapping[str, Model]:
        """A discriminator of this config, and a smaller generator."""
        config = {**self.of_tokenizer(), **config}
        discriminator = new_model(model_type, head=self.roles["discriminator"], seed=seed, **config)
        sizes = generator_sizes(discriminator.config, self.generator_size)
        aliases = discriminator.config.aliases
        config = {aliases.get(name, name): value for name, value in (*config.items(), *sizes.items())}
        generator = new_model(model_type, head=self.roles["generator"], seed=seed + 1, **config)
        return {"discriminator": discriminator, "generator": generator}


def second_segment(sentence_ends: Places, length: int, wanted: int, generator: np.random.Generator) -> int:
    """The place where a row's second segment begins, of those ``(s,)`` where sentences end within it; 0 for none.

    The first segment has the first sentence, others while it is shorter than ``wanted``, and half the time the one with
    which it no longer is. So a row of a ``length`` below that is one segment.
    Source: google-research/electra, ``build_pretraining_dataset.py``, ``_create_example``, where short sentences from
    behind the second segment's first one may go to the first segment, too.
    """
    place = int(np.searchsorted(sentence_ends, wanted))
    if place and length >= wanted and generator.random() < 0.5:
        place -= 1
    return int(sentence_ends[place]) if place < len(sentence_ends) else 0


def generator_sizes(config: ModelConfig, size: float) -> Mapping[str, int]:
    """Keys of a generator's config, beside a discriminator's: ``size`` as many heads, at least one, and as wide.

    Its states are as wide as its heads together, for its embeddings are projected. Where an architecture's are not,
    which means that it has no ``embedding_size``, the states stay as wide as the embeddings that both share.
    """
    keys = ("num_attention_heads", "hidden_size", "intermediate_size")
    all_heads, width, inner = (getattr(config, key) for key in keys)
    heads = max(1, round(size * all_heads))
    sizes = {"num_attention_heads": heads, "intermediate_size": max(1, round(inner * heads / all_heads))}
    return {**sizes, "hidden_size": width // all_heads * heads} if "embedding_size" in config.field_names() else sizes


class Detection(Trainee):
    """A generator and a discriminator, in one step; with ``tied`` the discriminator's embeddings serve both.

    Of a state dict, the shared tensors are the discriminator's. Torch's own generator draws the replacements.
    """

    def __init__(self, models: Mapping[str, Model], *, temperature: float = 1.0, tied: bool = True) -> None:
        super().__init__(models)
        self.temperature = temperature
        self.tied = tied
        self.tie_weights()

    def forward(self, batch: Mapping[str, Tensor], carried: Any = None) -> Outcome:
        """The generator's loss over the hidden tokens of ``labels``, the discriminator's over all real tokens."""
        generator, discriminator = self.model("generator"), self.model("discriminator")
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        hidden = batch["labels"] != IGNORED
        wanted = batch["labels"][hidden]
        logits = generator(**inputs, logits_positions=hidden.nonzero()).logits.float()  # (N, V)
        ids, replaced = with_samples(inputs["input_ids"], hidden, wanted, drawn(logits.detach(), self.temperature))
        judged = discriminator(**{**inputs, "input_ids": ids}, labels=replaced)
        losses = {"discriminator": judged.loss, "generator": mean_loss(logits, wanted)}
        if self.training:
            return Outcome(losses)
        judgements = ((judged.logits > 0) == replaced.bool())[batch["attention_mask"].bool()]
        guesses = logits.argmax(-1) == wanted
        return Outcome(losses, {"discriminator": judgements.float().mean(), "generator": guesses.float().mean()})

    def tie_weights(self) -> None:
        """Make one again of what both share."""
        super().tie_weights()
        if self.tied:
            tie_embeddings(self.model("generator"), self.model("discriminator"))

    def _second_names(self, prefix: str) -> Mapping[str, str]:
        """In a state dict, the generator's name of each tensor that is the discriminator's, too -> the latter's."""
        first = {id(each): name for name, each in self.model("discriminator").named_parameters()}
        own = self.model("generator").named_parameters(remove_duplicate=False)
        names = {name: first[id(each)] for name, each in own if id(each) in first}
        ours, theirs = f"{prefix}models.generator.", f"{prefix}models.discriminator."
        return {f"{ours}{name}": f"{theirs}{to}" for name, to in names.items()}

    if not TYPE_CHECKING:  # torch's has overloads for callers of long ago

        def state_dict(self, *args: Any, prefix: str = "", **options: Any) -> dict[str, Any]:
            """Each tensor once, as what stores them wants it."""
            state = super().state_dict(*args, prefix=prefix, **options)
            for name in self._second_names(prefix):
                state.pop(name, None)
            return state

        def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *others: Any) -> None:
            for name, first in self._second_names(prefix).items():
                if first in state:
                    state.setdefault(name, state[first])
            super()._load_from_state_dict(state, prefix, *others)


def drawn(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Of each row of ``(N, V)`` a class, drawn by its softmax at a temperature, ``(N,)``; torch's generator draws.

    The greatest of the logits with Gumbel noise on them is such a draw.
    Source: google-research/electra, ``pretrain_helpers.py``, ``sample_from_softmax``.
    """
    noise = -torch.rand_like(logits).log_().neg_().log_()  # where the uniform number is 0, a class is never drawn
    return (logits / temperature + noise).argmax(-1)


def with_samples(ids: Tensor, hidden: Tensor, wanted: Tensor, samples: Tensor) -> tuple[Tensor, Tensor]:
    """Ids ``(B, S)`` with samples ``(N,)`` where they are hidden, and 1 where a sample is not what was ``wanted``.

    Source: Clark et al. 2020, §2; google-research/electra, ``run_pretraining.py``, ``_get_fake_data``.
    """
    replaced = torch.zeros_like(ids)
    replaced[hidden] = (samples != wanted).to(ids.dtype)
    return ids.masked_scatter(hidden, samples.to(ids.dtype)), replaced


def tie_embeddings(generator: Model, discriminator: Model) -> None:
    """Give a generator the tables and the norm of a discriminator's embeddings, as its own and to learn together.

    Positions and segments are shared where both have as many; what projects the embeddings never is. Raises
    `InputError` where the tables of tokens differ.
    Source: google-research/electra, ``model/modeling.py``, the scope ``electra/embeddings``.
    """
    (ours, token), (theirs, _) = generator.backbone.token_tables[0], discriminator.backbone.token_tables[0]
    own, others = (each.get_parameter(f"{token}.weight") for each in (ours, theirs))
    if own.shape != others.shape:
        raise InputError(
            f"the generator's table of tokens is {tuple(own.shape)}, the discriminator's {tuple(others.shape)}: to be "
            "one, both need the same vocab_size and embedding_size, or hidden_size where the config has no "
            "embedding_size; or train them with tied=False"
        )
    sizes = {name: parameter.shape for name, parameter in ours.named_parameters()}
    for name, parameter in theirs.named_parameters():
        if not name.startswith("project.") and sizes.get(name) == parameter.shape:
            owner, _, attribute = name.rpartition(".")
            setattr(ours.get_submodule(owner), attribute, parameter)
    generator.tie_weights()
