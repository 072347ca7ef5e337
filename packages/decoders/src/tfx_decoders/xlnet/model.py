"""XLNet (Yang et al. 2019): Transformer-XL read in any order, with a second stream that predicts without looking."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.model import Backbone, Inputs, ModelOutput, one_of
from tfx_core.nn import (
    ActivationFunction,
    Attention,
    AttentionCall,
    AttentionKernel,
    DecoderCache,
    Distances,
    FeedForward,
    FusedProjections,
    Layer,
    Memory,
    PositionKeys,
    PostNorm,
    RealTokens,
    Recorder,
    RecurrentCall,
    SegmentPosition,
    Stack,
    StreamRecorder,
    by_pattern_at,
    can_read,
    expand_head_mask,
    look_up,
    remember,
    sdpa,
)
from tfx_decoders.xlnet.config import XLNetConfig
from tfx_decoders.xlnet.streams import Reading, StreamGeometry, StreamRules


class TwoStreamAttention(Attention):
    """Both streams ask, the content stream and what is remembered before it answer (§2.3)."""

    def forward(self, x: Tensor, call: AttentionCall) -> Tensor:
        """Content states and after them query states ``(B, T + M, D) -> (B, T + M, D)``; ``source`` is the memory."""
        assert isinstance(call.geometry, StreamGeometry)
        content = x[:, : call.geometry.content]
        if call.source is not None:
            call = replace(call, source=torch.cat((call.source, content), dim=1))  # (B, S, D)
        elif content.shape != x.shape:
            call = replace(call, source=content)
        return super().forward(x, call)


def of_streams(recorder: StreamRecorder) -> tuple[Tensor, ...] | tuple[tuple[Tensor, Tensor], ...] | None:
    """The weights of every layer, if they were asked for; where there are two streams, a pair of theirs."""
    weights = recorder.attentions
    if weights is None:
        return None
    return tuple(weights) if recorder.content is None else tuple(zip(weights[::2], weights[1::2], strict=True))


@dataclass(frozen=True)
class MemoryRules:
    """What is remembered: the last ``length`` tokens, of each call the first ``reuse``; and whether by default."""

    config: XLNetConfig

    @property
    def length(self) -> int | None:
        """Most tokens that are remembered."""
        return self.config.mem_len

    @property
    def reuse(self) -> int | None:
        """Tokens of a call that are."""
        return self.config.reuse_len

    @property
    def in_evaluation(self) -> bool:
        """Whether a call outside of training remembers."""
        return self.config.use_mems_eval

    @property
    def in_training(self) -> bool:
        """Whether one in training does."""
        return self.config.use_mems_train


class XLNetBackbone(Backbone):
    """Token vectors, and one learned vector for every place to predict, through the same layers.

    Tokens stay padded: the two streams are one tensor whose rows end at different places, which a ragged layout cannot
    tell apart.
    """

    def __init__(
        self, token: nn.Embedding, stack: Stack, rules: StreamRules, memory: MemoryRules, *, dropout: float
    ) -> None:
        super().__init__(token.embedding_dim)
        self.token = token
        self.mask = nn.Parameter(torch.empty(token.embedding_dim))
        self.stack = stack
        self.rules = rules
        self.memory = memory
        self.dropout = nn.Dropout(dropout)

    @property
    def token_tables(self) -> Sequence[tuple[nn.Module, str]]:
        """The table, which both streams read."""
        return [(self, "token")]

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        mems: Sequence[Tensor] | None = None,
        perm_mask: Tensor | None = None,
        target_mapping: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        input_mask: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        use_mems: bool | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        attention: AttentionKernel = sdpa,
    ) -> ModelOutput:
        """Ids ``(B, T)`` or ``inputs_embeds`` ``(B, T, D)`` -> states ``(B, T, D)``, of ``M`` targets ``(B, M, D)``.

        ``perm_mask`` ``(B, T, T)`` is 1 where a token does not see another one. ``target_mapping`` ``(B, M, T)`` is 1
        where a prediction stands; rows of zeros predict nothing that means anything. ``input_mask`` is the opposite of
        ``attention_mask``. ``mems`` is a call's `Memory`, or its tensors ``(slots, B, D)``; ``use_mems`` returns one.
        With targets, hidden states are the content's and the query's of each layer in turn, attentions pairs of them.
        Raises `InputError` for inputs that contradict each other.
        """
        tokens = one_of(input_ids, inputs_embeds, self.width)
        real = RealTokens.of(tokens, real_tokens(attention_mask, input_mask))
        memory = None if mems is None else Memory.of(mems, len(self.stack.order), len(tokens))
        targets = None if target_mapping is None else _targets(target_mapping, tokens)
        reading = _reading(tokens, real, memory, perm_mask, targets, token_type_ids)
        keeps = self._remembers if use_mems is None else use_mems
        recorder = StreamRecorder(
            content=reading.length if targets is not None else None,
            hidden_states=[] if output_hidden_states or keeps else None,
            attentions=[] if output_attentions else None,
            head_mask=expand_head_mask(head_mask, len(self.stack.order)),
        )
        content = tokens if tokens.is_floating_point() else self.embed(tokens)
        x = self.read(content, reading, attention, recorder, memory=memory)
        last = x if targets is None else x[:, reading.length :]
        return ModelOutput(
            last_hidden_state=self.dropout(last),
            mems=self._new_memory(memory, recorder, real) if keeps else None,
            hidden_states=tuple(recorder.hidden_states or ()) if output_hidden_states else None,
            attentions=of_streams(recorder),
            token_mask=real.mask if target_mapping is None else _predicting(target_mapping, real),
        )

    def read(
        self,
        content: Tensor,
        reading: Reading,
        attention: AttentionKernel,
        recorder: Recorder,
        *,
        memory: Memory | None = None,
        cache: DecoderCache | None = None,
        position_keys: Sequence[PositionKeys] | None = None,
    ) -> Tensor:
        """Token vectors ``(B, T, D)`` -> states of content and targets ``(B, T + M, D)``."""
        x = content
        if reading.targets is not None:
            x = torch.cat((content, self.mask.expand(*reading.targets.shape, -1)), dim=1)
        keys = None if position_keys is None else position_keys[0]
        geometry = self.rules.geometry(reading, content, self.dropout, keys)
        places = self.rules.places(reading, content.device)
        kernel, bias = by_pattern_at(attention, self.rules.bias(reading, geometry, content.dtype), *places)
        call = RecurrentCall(
            AttentionCall(kernel, bias, geometry),
            cache=cache,
            recorder=recorder,
            memory=memory,
            position_keys=position_keys,
        )
        states: Tensor = self.stack(self.dropout(x), call)
        return states

    def _new_memory(self, memory: Memory | None, recorder: StreamRecorder, real: RealTokens) -> Memory:
        """What the next call goes on from: of each layer the states that its content stream read."""
        read = (recorder.hidden_states or [])[:: recorder.streams][:-1]
        return remember(memory, read, real, length=self.memory.length, reuse=self.memory.reuse)

    def embed(self, input_ids: Tensor) -> Tensor:
        """Ids ``(B, T)`` -> the token table's vectors ``(B, T, D)``."""
        return look_up(self.token, input_ids, "input_ids")

    def arrange(self, inputs: Inputs) -> Inputs:
        """Say with ``attention_mask`` what ``input_mask`` says; raises `InputError` for both at once."""
        if "input_mask" not in inputs:
            return inputs
        real = real_tokens(inputs.get("attention_mask"), inputs["input_mask"])
        return {**{name: x for name, x in inputs.items() if name != "input_mask"}, "attention_mask": real}

    @property
    def _remembers(self) -> bool:
        return self.memory.in_training if self.training else self.memory.in_evaluation

    @property
    def remembered_tokens(self) -> int | None:
        """Tokens that are remembered at most; None for all."""
        return self.memory.length

    def segment_inputs(self, mems: Sequence[Tensor] | None, *, remember: bool) -> dict[str, Any]:
        """The inputs of a call that reads on from ``mems``, and remembers or not."""
        return {"mems": mems, "use_mems": remember}

    def left_to_right(self, ids: Tensor, ends: Sequence[int], scored: Sequence[int]) -> dict[str, Tensor]:
        """Inputs by which the last ``scored`` of the tokens up to ``ends`` are predicted from those before.

        ``perm_mask`` ``(B, S, S)`` hides what follows, ``target_mapping`` ``(B, M, S)`` has a row's targets at its end.
        """
        batch, length = ids.shape
        hidden = torch.ones(length, length, device=ids.device).triu().expand(batch, -1, -1)
        targets = torch.zeros(batch, max(scored), length, device=ids.device)
        for row, end, count in zip(targets, ends, scored, strict=True):
            row[len(row) - count :, end - count : end] = torch.eye(count, device=ids.device)
        return {"perm_mask": hidden, "target_mapping": targets}


def real_tokens(attention_mask: Tensor | None, input_mask: Tensor | None) -> Tensor | None:
    """Boolean ``(B, …, T)`` out of the two ways to say it; raises `InputError` for both at once."""
    if input_mask is None:
        return None if attention_mask is None else attention_mask.bool()
    if attention_mask is not None:
        raise InputError("attention_mask and input_mask were both given; they are opposites, give one of them")
    return ~input_mask.bool()


def _reading(
    tokens: Tensor,
    real: RealTokens,
    memory: Memory | None,
    perm_mask: Tensor | None,
    targets: Tensor | None,
    segments: Tensor | None,
) -> Reading:
    """What is read after a memory; raises `InputError` for a shape that does not fit the tokens."""
    batch, length = tokens.shape[:2]
    if perm_mask is not None and perm_mask.shape != (batch, length, length):
        raise InputError(f"perm_mask of shape {tuple(perm_mask.shape)}: these tokens ask for {(batch, length, length)}")
    segments = None if segments is None else real.of_each(segments, "token_type_ids")
    if segments is not None and memory is not None:
        # what is remembered counts as segment 0
        segments = nn.functional.pad(segments, (memory.length, 0))
    known = real if memory is None else memory.real.append(real)
    return Reading(length, known, None if perm_mask is None else perm_mask.bool(), targets, segments)


def _targets(target_mapping: Tensor, tokens: Tensor) -> Tensor:
    """Where each prediction stands, ``(B, M)``; raises `InputError` for rows that are neither one-hot nor zero."""
    batch, length = tokens.shape[:2]
    if target_mapping.dim() != 3 or target_mapping.shape[::2] != (batch, length):
        raise InputError(
            f"target_mapping of shape {tuple(target_mapping.shape)}: these tokens ask for ({batch}, M, {length})"
        )
    if can_read(target_mapping):
        rows = target_mapping.sum(-1)
        if not bool((((target_mapping == 0) | (target_mapping == 1)).all(-1) & (rows <= 1)).all()):
            raise InputError("target_mapping: each row must have one 1, where its prediction stands, or be all zeros")
    return target_mapping.argmax(dim=-1)


def _predicting(target_mapping: Tensor, real: RealTokens) -> Tensor:
    """Which predictions stand on a real token, ``(B, M)``; a row of zeros stands nowhere."""
    return (target_mapping.bool() & real.dense_mask[:, None]).any(-1)


def build_backbone(config: XLNetConfig, parts: frozenset[str]) -> XLNetBackbone:
    """The backbone; every head reads the same states."""
    return XLNetBackbone(
        nn.Embedding(config.vocab_size, config.d_model),
        Stack(_layer(config) for _ in range(config.n_layer)),
        StreamRules(
            Distances(config.d_model, config.clamp_len),
            causal=config.attn_type == "uni",
            same_length=config.same_length,
            backward_half=config.bi_data,
        ),
        MemoryRules(config),
        dropout=config.dropout,
    )


def _layer(config: XLNetConfig) -> Layer:
    width = config.d_model
    return Layer(
        self_attention=_post_norm(
            config,
            TwoStreamAttention(
                FusedProjections(width, width, bias=False),
                nn.Linear(width, width, bias=False),
                config.n_head,
                position=SegmentPosition(nn.Linear(width, width, bias=False), config.n_head),
                dropout=config.dropout,
            ),
        ),
        feed_forward=_post_norm(
            config,
            FeedForward(
                nn.Linear(width, config.d_inner),
                ActivationFunction(config.ff_activation),
                nn.Linear(config.d_inner, width),
                config.dropout,
            ),
        ),
    )


def _post_norm(config: XLNetConfig, sublayer: nn.Module) -> PostNorm:
    return PostNorm(sublayer, nn.LayerNorm(config.d_model, eps=config.layer_norm_eps), config.dropout)
