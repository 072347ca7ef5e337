"""Assisted generation: a smaller model guesses the next tokens (arXiv 2211.17192, 2302.01318)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.generation.guessing import decode_guessed
from tfx_core.generation.output import Decoded
from tfx_core.generation.prompts import Prompts
from tfx_core.generation.rows import Rows
from tfx_core.generation.search import Search, is_dead
from tfx_core.generation.sides import Sides
from tfx_core.generation.state import DecodingState, ExtendingState, GenerativeModel
from tfx_core.generation.stepwise import Chooser, chooser
from tfx_core.habits import hint
from tfx_core.nn import for_inference, rows_of_sources

NAME = "assistant_model"


@dataclass(frozen=True)
class Assistant:
    """A model that has been given the prompts of a call."""

    state: ExtendingState
    positions: int | None
    """The most tokens that it reads of one text."""

    @classmethod
    def of(
        cls, model: GenerativeModel, prompts: Prompts, source: Prompts | None, of: GenerativeModel | None = None
    ) -> "Assistant":
        """``model`` reads the ``prompts`` and, with an encoder of its own, the ``source``; it assists the model ``of``.

        Raises `InputError` for one that cannot, and where their ids are not known.
        """
        if not hasattr(model, "architecture"):
            raise InputError(f"{NAME} of type {type(model).__name__}: {hint('generate', 'assistant_model=folder')}")
        if model.architecture.decoding is None:
            raise InputError(f"{NAME}: {type(model.config).__name__.removesuffix('Config')} models cannot generate")
        if prompts.vectors is not None:
            raise InputError(f"{NAME}: it reads the prompts as well; give input_ids")
        if model.config.is_encoder_decoder and source is None:
            raise InputError(f"{NAME} has an encoder, which reads input_ids; give one of the model's own kind, and ids")
        if source is not None and not model.config.is_encoder_decoder:
            raise InputError(f"{NAME} has no encoder; give one of the model's own kind")
        own, other = Sides.of(model), Sides.of(of)
        if own != other:
            raise InputError(f"{NAME} with a vocabulary of {own} tokens: the model's has {other}; must be alike")
        longest, positions = int(prompts.lengths.max()), model.most_read
        if positions is not None and longest > positions:
            raise InputError(f"{NAME} has positions for {positions}; the prompt has {longest} tokens")
        inputs = _padded(prompts, "") if source is None else {**_padded(source, ""), **_padded(prompts, "decoder_")}
        twin = for_inference(model) if isinstance(model, nn.Module) else model
        state = model.architecture.decoding(twin, inputs)
        if not isinstance(state, ExtendingState):
            raise InputError(f"{NAME}: {type(state).__name__} cannot take tokens back")
        return cls(state, positions)


def decode_assisted(state: DecodingState, search: Search) -> Decoded:
    """Greedy search or sampling, with the guesses of another model."""
    assert search.assistant is not None
    choose = chooser(search)
    return decode_guessed(state, search, Drafts(search, search.assistant, choose), choose, NAME)


class Drafts:
    """The `Guesser` that lets the assistant go on with the texts, by the rules and random numbers of the call."""

    def __init__(self, search: Search, assistant: Assistant, choose: Chooser) -> None:
        self._search = search
        self._state, self._positions = assistant.state, assistant.positions
        self._choose = choose
        self._count = search.options.num_assistant_tokens
        self._copies = 1
        self._read = search.prompts.lengths
        """How many tokens of each row ``(R,)`` the assistant has read."""
        self._drafted = torch.zeros_like(self._read)
        """How many of its own guesses after these."""
        self._guessed = self._drafted

    def begin(self, copies: int) -> None:
        """Read the prompts."""
        self._state.prefill()
        self._copies = copies
        if copies > 1:
            self._state.expand(copies)
            self._read = self._read.repeat_interleave(copies)

    def guess(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """What the assistant chooses, until it is not confident."""
        limits = rows.limits if self._positions is None else rows.limits.clamp(max=self._positions)
        room = (limits - rows.lengths - 1).clamp(min=0, max=self._count)
        self._drafted = self._guessed = torch.zeros_like(room)
        draft, going = rows.take(torch.arange(len(rows), device=room.device)), room > 0
        logits = self._caught_up(rows, going) if bool(going.any()) else None
        while logits is not None:
            tokens, confident = self._chosen(logits, draft)
            draft.append(tokens, going)
            self._guessed = self._guessed + going.long()
            going = going & confident & (self._guessed < room) & ~self._ends(tokens)
            if not bool(going.any()):
                break
            logits = self._state.extend(tokens[:, None], going.long())[:, 0]
            self._drafted = self._drafted + going.long()
        columns = rows.lengths[:, None] + torch.arange(int(self._guessed.max()), device=room.device)
        return draft.ids.gather(1, columns.clamp(max=draft.ids.shape[1] - 1)), self._guessed

    def told(self, counts: Tensor) -> None:
        """Take back the guesses that did not come true."""
        right = torch.minimum(counts - 1, self._drafted)
        if bool(self._drafted.any()):
            self._state.keep(right)
        self._read = self._read + right
        if self._search.options.num_assistant_tokens_schedule != "constant":
            all_right = bool((counts > self._guessed).all())
            self._count = self._count + 2 if all_right else max(self._count - 1, 1)

    def reorder(self, rows: Tensor) -> None:
        """Row ``i`` becomes what row ``rows[i]`` was."""
        self._copies = self._copies * len(rows) // len(self._read)
        self._state.reorder(rows)
        self._read = self._read[rows]

    def select(self, sources: Tensor) -> None:
        """Keep only these sources."""
        self._state.select(sources)
        self._read = self._read[rows_of_sources(sources, self._copies)]

    def _caught_up(self, rows: Rows, going: Tensor) -> Tensor:
        """Read what it has not yet of the rows that are ``going``; the logits ``(R, V)`` after it."""
        new = (rows.lengths - self._read).masked_fill(~going, 0)
        columns = self._read[:, None] + torch.arange(int(new.max()), device=new.device)
        logits = self._state.extend(rows.ids.gather(1, columns.clamp(max=rows.ids.shape[1] - 1)), new)
        self._state.keep(new)
        self._read = self._read + new
        return logits[torch.arange(len(new), device=new.device), (new - 1).clamp(min=0)]

    def _chosen(self, logits: Tensor, draft: Rows) -> tuple[Tensor, Tensor]:
        """A token for each row ``(R,)``, and which rows ``(R,)`` may go on after it."""
        scores = self._search.processed(logits, draft)
        best = scores.amax(1)
        # a guess may lead where every token is banned; it is for the model to say so, if it goes there
        possible = ~is_dead(best) & (best < float("inf"))
        scores = torch.where(possible[:, None], scores, torch.zeros_like(scores))
        sure = scores.float().softmax(1).amax(1) >= self._search.options.assistant_confidence_threshold
        return self._choose(scores, draft), sure & possible

    def _ends(self, tokens: Tensor) -> Tensor:
        return torch.isin(tokens, torch.tensor(self._search.options.eos_ids, device=tokens.device, dtype=tokens.dtype))


def _padded(prompts: Prompts, prefix: str) -> dict[str, Tensor]:
    """Ids and mask, padded on the left."""
    ids = prompts.padded
    first = ids.shape[1] - prompts.lengths[:, None]
    mask = (torch.arange(ids.shape[1], device=ids.device) >= first).long()
    return {f"{prefix}input_ids": ids, f"{prefix}attention_mask": mask}
