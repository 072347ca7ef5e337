"""Transformer-XL's configuration."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self

from tfx_core.fields import Between, Epsilon, Positive, Rate, Size
from tfx_core.model import ModelConfig

_PROJECTION = "head.predictions.reductions."


@dataclass(kw_only=True)
class TransfoXLConfig(ModelConfig):
    """Keys of a Transformer-XL's ``config.json``; the defaults are the released model (Dai et al. 2019)."""

    model_type: ClassVar[str] = "transfo-xl"
    aliases: ClassVar[Mapping[str, str]] = {
        "hidden_size": "d_model",
        "intermediate_size": "d_inner",
        "n_token": "vocab_size",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
        "tie_weight": "tie_word_embeddings",
    }
    absent: ClassVar[Mapping[str, str]] = {"max_position_embeddings": "texts have no longest length here"}
    inert_keys: ClassVar[Collection[str]] = ("tgt_len",)
    neutral_values: ClassVar[Mapping[str, Collection[Any]]] = {"ext_len": (0,)}  # tokens between text and memory

    vocab_size: Size = 267735
    """Number of words, the frequent ones first."""
    cutoffs: tuple[Size, ...] = (20000, 40000, 200000)
    """Where the clusters of rarer words begin."""
    d_model: Size = 1024
    """Width of the hidden states."""
    d_embed: Size = 1024
    """Width of the vectors of frequent words."""
    n_head: Size = 16
    """Attention heads of each layer."""
    d_head: Size = 64
    """Width of one head."""
    d_inner: Size = 4096
    """Width of the feed-forward layers."""
    div_val: Size = 4
    """How many times narrower each cluster's vectors are than those of the cluster before."""
    pre_lnorm: bool = False
    """Whether norms come before the sublayers, not after them."""
    n_layer: Size = 18
    """Number of layers."""
    mem_len: Annotated[int, Between(0, 100_000)] = 1600
    """Number of tokens that the memory holds; it begins with as many that are blank."""
    clamp_len: int = 1000
    """Distance beyond which all are taken for equal; none if not positive."""
    same_length: bool = True
    """Whether every token looks back equally far: at the last ``mem_len`` tokens, itself included."""
    proj_share_all_but_first: bool = True
    """Where ``tie_projs`` is absent: whether all projections but those of frequent words are shared."""
    tie_projs: tuple[bool, ...] | None = None
    """For each cluster whether a new model's output projection is that of the embeddings."""
    attn_type: Literal[0] = 0
    """Kind of attention; 0 is Transformer-XL's own, and the released models have no other."""
    sample_softmax: int = -1
    """Number of sampled words in the softmax; none."""
    adaptive: bool = True
    """What files say of the softmax, which is adaptive where there are ``cutoffs``, whatever this is."""
    dropout: Rate = 0.1
    """Dropout of embeddings, positions and every sublayer's output."""
    dropatt: Rate = 0.0
    """Dropout of attention weights."""
    untie_r: bool = True
    """Whether every layer has position biases of its own."""
    init: Literal["normal", "uniform"] = "normal"
    """Distribution of a new model's weights."""
    init_range: Positive = 0.01
    """Their bound, where they are uniform."""
    init_std: Positive = 0.02
    """Their standard deviation, where they are normal."""
    proj_init_std: Positive = 0.01
    """Standard deviation of the projections of word vectors."""
    layer_norm_epsilon: Epsilon = 1e-5
    """Added to the variance in every layer norm."""
    eos_token_id: int | tuple[int, ...] | None = 0
    """Id that ends a text."""

    def validate(self) -> None:
        """Clusters have words, and vectors of some width; what the released code lacks is refused."""
        self.require(self.d_model % 2 == 0, "d_model", "even, for sines and cosines")
        ends = (*self.cutoffs, self.vocab_size)
        self.require(
            all(one < other for one, other in pairwise(ends)),
            "cutoffs",
            f"increasing, and less than vocab_size={self.vocab_size}",
        )
        width = self.d_embed
        for _ in self.cutoffs:  # not a power, which could have more digits than fit into memory
            width //= self.div_val
        self.require(
            width > 0,
            "div_val",
            f"so small that d_embed={self.d_embed} divided by it {len(self.cutoffs)} times is not zero",
        )
        self.require(
            self.tie_projs is None or len(self.tie_projs) == len(ends), "tie_projs", f"null or of length {len(ends)}"
        )
        self.require(self.sample_softmax <= 0, "sample_softmax", "-1: sampling was never released")
        self.require(self.mem_len > 0 or not self.same_length, "same_length", "false where mem_len=0: it is that long")

    @property
    def tied_projections(self) -> tuple[bool, ...]:
        """For each cluster whether a new model's projection is shared between input and output."""
        if self.tie_projs is not None:
            return self.tie_projs
        return (False, *(self.proj_share_all_but_first for _ in self.cutoffs))

    def begins_tied(self, name: str) -> bool:
        """Tables and projections are tied, or not, by keys of their own."""
        cluster = _cluster(name)
        return self.tie_word_embeddings if cluster is None else self.tied_projections[cluster]

    def with_ties(self, tied: Mapping[str, bool]) -> Self:
        """A copy whose keys say what is tied."""
        projections = {_cluster(name): holds for name, holds in tied.items()}
        tables = all(holds for name, holds in tied.items() if _cluster(name) is None)
        known = tuple(projections.get(cluster, ties) for cluster, ties in enumerate(self.tied_projections))
        changed = self.replace(tie_word_embeddings=tables)
        return changed if known == self.tied_projections else changed.replace(tie_projs=known)


def _cluster(name: str) -> int | None:
    """The cluster whose projection has this name."""
    return int(name.removeprefix(_PROJECTION).split(".")[0]) if name.startswith(_PROJECTION) else None
