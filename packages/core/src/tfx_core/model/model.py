"""A backbone and a head, made one callable model."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from tfx_core.checkpoint import WeightTable
from tfx_core.errors import InputError, UnknownNameError
from tfx_core.model.architecture import Architecture, HeadFactory
from tfx_core.model.config import ModelConfig
from tfx_core.model.heads.base import Head, NoHead
from tfx_core.model.outputs import ModelOutput
from tfx_core.nn import AttentionKernel, sdpa
from tfx_core.plugins import registry

if TYPE_CHECKING:
    from tfx_core.generation.options import GenerationOptions


class Backbone(Protocol):
    """What `Architecture.backbone` returns: an ``nn.Module`` whose ``forward`` names every input that it takes.

    One of them is ``attention``, the kernel of the call. The output has at least ``last_hidden_state`` ``(B, S, D)``,
    and ``pooler_output`` ``(B, D)`` where a head asked for it.
    """

    max_positions: int | None
    """The longest input, in tokens; ``None`` where there is no limit."""

    def __call__(self, **inputs: Any) -> ModelOutput:
        """Run the backbone."""
        ...

    def prune_heads(self, heads: Mapping[int, Sequence[int]]) -> None:
        """Remove attention heads: layer -> numbers of the heads, counted in the layer as it is now."""
        ...


class Model(nn.Module):
    """An architecture with one head.

    Call it with the inputs that the backbone and the head name (``input_ids``, ``attention_mask``, ``labels``, …); an
    unknown one is a `TypeError`. ``attention`` selects the attention kernel, by default the model's own.
    ``generation_config`` are the contents of the file of that name.
    """

    def __init__(
        self,
        architecture: Architecture[Any],
        config: ModelConfig,
        head_name: str = "backbone",
        *,
        attention: AttentionKernel = sdpa,
        generation_config: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.config = config
        self.head_name = head_name
        self.attention = attention
        self.generation_config = generation_config
        # made once for the config and the file's contents beside it
        self._generation_options: tuple[ModelConfig, Mapping[str, Any] | None, GenerationOptions] | None = None
        self._foreign = foreign_head(architecture, config, head_name)
        factory, needed = (None, head_name) if self._foreign is None else self._foreign
        self.backbone = architecture.backbone(config, needed)
        self.head: Head = _head(architecture, config, head_name, factory)
        self._backbone_inputs = frozenset(_named_inputs(self.backbone))
        self._head_inputs = frozenset(_named_inputs(self.head)[1:])

    def forward(self, input_ids: Tensor | None = None, **inputs: Any) -> ModelOutput:
        """Run backbone and head; token ids may also come first without their name."""
        given = {"input_ids": input_ids, "attention": self.attention, **inputs}
        given = {name: value for name, value in given.items() if value is not None}
        unknown = given.keys() - self._backbone_inputs - self._head_inputs
        if unknown:
            accepted = ", ".join(self.input_names)
            raise TypeError(f"unknown input {', '.join(map(repr, sorted(unknown)))}; this model takes {accepted}")
        self._check_length(given)
        arranged = self.head.arrange(given)
        states = self.backbone(**{name: value for name, value in arranged.items() if name in self._backbone_inputs})
        output: ModelOutput = self.head(
            states, **{name: value for name, value in given.items() if name in self._head_inputs}
        )
        return output

    def generate(self, input_ids: Tensor | None = None, **options: Any) -> Any:
        """Continue texts or decode from a source, see `tfx_core.generation.generate`."""
        from tfx_core.generation import generate

        return generate(self, input_ids, **options)

    def save_pretrained(self, folder: str | Path, *, max_shard_size: int | str = "5GB") -> None:
        """Write ``config.json`` and the weights as transformers reads them; an interrupted save leaves the old ones."""
        from tfx_core.model.saving import save_model

        save_model(self, folder, max_shard_size=max_shard_size)

    def prune_heads(self, heads: Mapping[int, Sequence[int]]) -> None:
        """Remove attention heads for good: layer -> numbers of the heads in the unpruned model.

        What was pruned is kept in ``config.pruned_heads`` and so survives saving and loading.
        """
        pruned = {layer: set(numbers) for layer, numbers in self.config.pruned_heads.items()}
        present: dict[int, list[int]] = {}
        for layer, numbers in heads.items():
            before = pruned.setdefault(layer, set())
            # heads removed earlier shift the places of those behind them
            new = sorted(set(numbers) - before)
            present[layer] = [number - sum(gone < number for gone in before) for number in new]
            before.update(new)
        # the config refuses what cannot be pruned before anything is
        config = self.config.replace(pruned_heads={layer: tuple(sorted(all_)) for layer, all_ in pruned.items()})
        self.backbone.prune_heads(present)  # type: ignore[operator]  # see Backbone
        self.config = config

    def tie(self, name: str, to: str) -> None:
        """Make the parameter ``name`` the very tensor that the parameter ``to`` is."""
        owner, _, attribute = name.rpartition(".")
        setattr(self.get_submodule(owner), attribute, self.get_parameter(to))

    @property
    def ties(self) -> tuple[tuple[str, str], ...]:
        """Pairs of parameter names that may share a tensor."""
        ties = self.architecture.ties
        return tuple((ties(self.config) if callable(ties) else ties).get(self.head_name, ()))

    @property
    def weight_table(self) -> WeightTable:
        """Names of this model's tensors in a checkpoint."""
        table = self.architecture.weights(self.config)
        if self._foreign is None:
            return table
        factory, needed = self._foreign
        return table.with_head(self.head_name, like=needed, rules=factory.rules)

    @property
    def head_initialise(self) -> Callable[[str, nn.Module, Any, torch.Generator | None], None]:
        """Fills the head's modules: a third party's head brings its own way."""
        return self.architecture.initialise if self._foreign is None else self._foreign[0].initialise

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of all inputs that a call takes."""
        return tuple(sorted(self._backbone_inputs | self._head_inputs))

    @property
    def generation_options(self) -> "GenerationOptions":
        """The checkpoint's defaults for `generate`, from its ``generation_config.json``, else its ``config.json``."""
        from tfx_core.generation import options_from_files

        made = self._generation_options
        if made is None or made[0] is not self.config or made[1] is not self.generation_config:
            options = options_from_files(self.generation_config, self.config.to_dict())
            made = self._generation_options = (self.config, self.generation_config, options)
        return made[2]

    @property
    def max_positions(self) -> int | None:
        """The longest input in tokens, ``None`` where there is no limit."""
        longest: int | None = self.backbone.max_positions  # type: ignore[assignment]  # see Backbone
        return longest

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the parameters."""
        return next(self.parameters()).dtype

    def num_parameters(self) -> int:
        """Number of numbers in all parameters, shared ones counted once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def _check_length(self, inputs: Mapping[str, Any]) -> None:
        tokens, limit = inputs.get("input_ids"), self.max_positions
        if tokens is not None and limit is not None and tokens.shape[-1] > limit:
            raise InputError(
                f"input of {tokens.shape[-1]} tokens: {self.config.model_type} has positions for {limit}; "
                "shorten it, or tokenize with truncation=True"
            )


def foreign_head(
    architecture: Architecture[Any], config: ModelConfig, head_name: str
) -> tuple[HeadFactory, str] | None:
    """A third party's head of this name with the capability it needs; ``None`` if the head is the architecture's own.

    Raises `UnknownNameError` that lists the heads there are.
    """
    if head_name == "backbone" or head_name in architecture.heads:
        return None
    own = ("backbone", *architecture.heads)
    foreign = [entry.spec.name for entry in registry.specs("head")]
    if head_name.rpartition(":")[2] not in foreign:
        raise UnknownNameError(
            f"no head {head_name!r} for {config.model_type}: it has {', '.join(own)}"
            + (f"; installed beside these are {', '.join(foreign)}" if foreign else "")
        )
    spec = registry.find("head", head_name)
    factory = registry.load("head", head_name)
    if not isinstance(factory, HeadFactory):
        raise TypeError(f"{spec.target} is {factory!r}; a head's target must be a tfx_core.model.HeadFactory")
    return factory, spec.capability


def _head(architecture: Architecture[Any], config: ModelConfig, head_name: str, factory: HeadFactory | None) -> Head:
    if head_name == "backbone":
        return NoHead()
    return factory.build(config) if factory is not None else architecture.heads[head_name](config)


def _named_inputs(module: nn.Module) -> tuple[str, ...]:
    parameters = inspect.signature(module.forward).parameters.values()
    wrong = [each.name for each in parameters if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    if wrong:
        raise TypeError(f"{type(module).__name__}.forward takes *{wrong[0]}; it must name every input that it takes")
    return tuple(each.name for each in parameters)
