"""A backbone and a head, made one callable model."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor, nn

from tfx_core.checkpoint import WeightTable, collect_weights, unfilled_modules
from tfx_core.errors import InputError, UnknownNameError
from tfx_core.fields import Size, checked
from tfx_core.habits import hint, no_attribute, understands
from tfx_core.habits import unknown as not_taken
from tfx_core.model.architecture import Architecture
from tfx_core.model.attentions import AttentionChoice, kernel_of
from tfx_core.model.backbone import Backbone, input_types, named_inputs
from tfx_core.model.config import ModelConfig
from tfx_core.model.freezing import Freezing
from tfx_core.model.heads.base import Head
from tfx_core.model.heads.language import LanguageHead
from tfx_core.model.heads.plan import HeadPlan, Ties
from tfx_core.model.outputs import ModelOutput
from tfx_core.model.resizing import check_shapes, resize_tokens
from tfx_core.model.saving import save_model
from tfx_core.model.signature import blank, class_of
from tfx_core.model.splitting import split_layers
from tfx_core.model.states import as_tensor, by_names_of_files, check_whole, with_all_names, without_second_names
from tfx_core.model.switches import Switches
from tfx_core.nn import AttentionKernel, SplitLinear, can_read, sdpa

if TYPE_CHECKING:
    from tfx_core.generation import GenerationConfig, GenerationOptions


class NoLanguageHeadError(InputError, AttributeError):
    """What asks for all attributes, as `torch.jit.trace` does, passes over this one."""


class Model(Freezing, Switches):
    """An architecture with one head.

    Call it with the inputs that the backbone and the head name (``input_ids``, ``attention_mask``, ``labels``, …); an
    unknown one is a `TypeError`. ``attention`` selects the attention kernel, by default the model's own.
    Its class has the name of the reference's, with the inputs in the signature of ``forward``.
    ``generation_config`` are the contents of the file of that name, later a `tfx_core.GenerationConfig`, whose fields
    may be set and which may be replaced, also by a dict. ``origin`` is the folder that the model was loaded from, as
    errors call it.
    """

    base_model_prefix: ClassVar[str] = "backbone"
    """The attribute that `base_model` is."""

    made_of: ClassVar[tuple[Any, ...]]
    """What the class of an instance was made of."""

    _attention: AttentionKernel

    def __init__(
        self,
        architecture: Architecture[Any],
        config: ModelConfig,
        head_name: str = "backbone",
        *,
        attention: AttentionChoice = sdpa,
        generation_config: Mapping[str, Any] | None = None,
    ) -> None:
        from tfx_core.generation import GenerationConfig

        super().__init__()
        self.architecture = architecture
        self.config = config
        self.head_name = head_name
        self.attention = attention
        self._generation_config = GenerationConfig.of_file(generation_config)
        self.origin: str | None = None
        plan = self.plan
        self.backbone: Backbone = architecture.backbone(config, frozenset(plan.parts))
        if not isinstance(self.backbone, Backbone):
            raise TypeError(f"the backbone of {config.model_type} is {type(self.backbone)}, not a tfx_core.Backbone")
        self.head: Head = plan.build(config, self.backbone)
        self._backbone_inputs = self.backbone.input_names
        self._head_inputs = frozenset(named_inputs(self.head)[1:])
        self._input_types = {**input_types(self.backbone), **input_types(self.head)}
        self.__class__ = class_of(type(self), self._class_name, self.input_names)

    @property
    def attention(self) -> AttentionKernel:
        """The kernel of calls that select none; it may be set to whatever ``attention=`` may be.

        One that is a module of its own stays that: its parameters are none of the model's.
        """
        return self._attention

    @attention.setter
    def attention(self, attention: AttentionChoice) -> None:
        vars(self)["_attention"] = kernel_of(attention)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "attention":  # torch would make a kernel that is a module a part of the model
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def __reduce_ex__(self, protocol: Any) -> Any:
        # its class is made for it, so that it cannot be found by its name
        return (
            (blank, self.made_of, self.__dict__) if "made_of" in vars(type(self)) else super().__reduce_ex__(protocol)
        )

    def forward(
        self, input_ids: Tensor | None = None, *more: Any, return_dict: bool | None = None, **inputs: Any
    ) -> Any:
        """Run backbone and head; token ids may also come first without their name.

        The result is a `ModelOutput`, with ``return_dict=False`` the tuple of its values. What a call does not ask for,
        the config may: ``return_dict``, ``output_attentions`` and ``output_hidden_states``.
        """
        if more:
            raise TypeError(f"{type(self).__name__}: {hint('model(…)', 'model(ids, mask)')}")
        given = {"input_ids": input_ids, **inputs}
        given = self._without_cache({name: value for name, value in given.items() if value is not None})
        asked = {name: each for name, each in self.config.asked_of_calls.items() if name in self._backbone_inputs}
        given = {**asked, **given, "attention": kernel_of(given.get("attention", self.attention))}
        unknown = given.keys() - self._backbone_inputs - self._head_inputs
        if unknown:
            raise TypeError(not_taken("model(…)", unknown, self.input_names, type(self).__name__))
        self.check_types(given)
        given = self.backbone.arrange(given)
        arranged = self.head.arrange(given)
        states: ModelOutput = self.backbone(
            **{name: value for name, value in arranged.items() if name in self._backbone_inputs}
        )
        output: ModelOutput = self.head(
            states, **{name: value for name, value in given.items() if name in self._head_inputs}
        )
        output = output if output is states else output.of_head(states)
        return output if (self.config.return_dict if return_dict is None else return_dict) else output.to_tuple()

    def check_types(self, inputs: Mapping[str, Any]) -> None:
        """Raise `InputError` for an input that is not what it is declared as, for ids and masks of other numbers."""
        for name, value in inputs.items():
            kind = self._input_types.get(name, object)
            if name == "input_ids" and isinstance(value, Mapping):
                raise InputError(f"input_ids is a batch: {hint('model(…)', 'model(batch)')}")
            if not isinstance(value, kind):
                wanted = f"{kind.__module__}.{kind.__name__}"
                raise InputError(f"{name} of type {type(value).__name__}: must be a {wanted}{_cure(name, value)}")
            if name.endswith("_ids") and isinstance(value, Tensor) and value.dtype not in (torch.int64, torch.int32):
                raise InputError(f"{name} of type {value.dtype}: must be whole numbers, torch.int64 or torch.int32")
            if name.endswith("attention_mask") and isinstance(value, Tensor):
                _check_mask(name, value)

    def generate(
        self,
        input_ids: Tensor | None = None,
        generation_config: object = None,
        *,
        labels: object = None,
        **options: Any,
    ) -> Any:
        """Continue texts or decode from a source, see `tfx_core.generation.generate`.

        ``labels``, which a batch to learn from has, are not read.
        """
        kernel = options.get("attention")
        options |= {} if kernel is None else {"attention": kernel_of(kernel)}
        options |= {} if generation_config is None else {"generation_config": generation_config}
        return self.backbone.generate(self, input_ids, **options)

    def compute_transition_scores(
        self,
        sequences: Tensor,
        scores: tuple[Tensor, ...],
        beam_indices: Tensor | None = None,
        normalize_logits: bool = False,
    ) -> Tensor:
        """`tfx_core.generation.transition_scores` of the parts of its output."""
        from tfx_core.generation import GenerationOutput, transition_scores

        output = GenerationOutput(sequences=sequences, scores=scores, beam_indices=beam_indices)
        return transition_scores(output, normalize_logits=normalize_logits)

    def prepare_inputs_for_generation(self, input_ids: Tensor, **inputs: Any) -> dict[str, Any]:
        """The inputs of a call, for adapters that look for such a method and wrap it; `generate` does not call it."""
        return {"input_ids": input_ids, **inputs}

    _prepare_encoder_decoder_kwargs_for_generation = prepare_inputs_for_generation

    @classmethod
    def from_pretrained(cls, path: str | Path, **options: Any) -> "Model":
        """`tfx_core.load_model`."""
        from tfx_core.model.loading import load_model

        return load_model(path, **options)

    @understands("save_pretrained")
    def save_pretrained(
        self, folder: str | Path, is_main_process: bool = True, *, max_shard_size: int | str = "5GB"
    ) -> None:
        """Write ``config.json`` and the weights as transformers reads them; an interrupted save leaves the old ones.

        Of many processes with the same model only the one writes that ``is_main_process``. Raises `CheckpointError`
        where the folder cannot be written, and `InputError` for a model that `load_model` would refuse, with what was
        there before unchanged.
        """
        if not is_main_process:
            return
        if self.frozen:
            self.unfrozen().save_pretrained(folder, max_shard_size=max_shard_size)
            return
        check_whole(self)
        check_shapes(self)
        config, stored = self.stored_config(), self.generation_config.contents()
        tensors = collect_weights(self, self._table_of(config), head=self.head_name, ties=self.ties)
        save_model(folder, config, stored, tensors, max_shard_size=max_shard_size)

    def state_dict_for_files(self) -> dict[str, Tensor]:
        """The tensors under the names that transformers' ``state_dict()`` has, those of tied ones too, as views.

        `load_state_dict` takes them here as well as its own names.
        """
        return by_names_of_files(self.unfrozen() if self.frozen else self)

    def get_extra_state(self) -> Tensor:
        """What is stored beside the tensors of a state dict: the config, by which `load_model` reads a file of one."""
        return as_tensor(self.stored_config())

    def set_extra_state(self, state: object) -> None:
        """Nothing: the model has its config."""

    if not TYPE_CHECKING:  # torch's has overloads for callers of long ago

        def state_dict(self, *args: Any, prefix: str = "", **options: Any) -> dict[str, Any]:
            """Tensors by our names, of each that there is under several the first alone, as safetensors wants it.

            Those of a frozen model are as they were; raises `InputError` where they were rounded.
            """
            if self.frozen:
                return self.unfrozen().state_dict(*args, prefix=prefix, **options)
            state = super().state_dict(*args, prefix=prefix, **options)
            without_second_names(self, state, prefix)
            return state

        def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *others: Any) -> None:
            with_all_names(self, state, prefix)
            super()._load_from_state_dict(state, prefix, *others)

    def stored_config(self) -> ModelConfig:
        """The config, saying which head is stored, what is tied and in which type."""
        architecture = self.architecture
        name = architecture.class_of(self.head_name) or architecture.class_of("backbone")
        told = name is not None and architecture.head_of(name, self.config) == self.head_name
        config = self.config.replace(
            architectures=() if name is None else (name,), tfx_head=None if told else self.head_name
        )
        config = self._saying_what_is_tied(config)
        extra = {**config.extra, "torch_dtype": str(self.dtype).removeprefix("torch.")}
        extra.pop("dtype", None)  # a later name of the same, which the reference would believe
        return config.replace(extra=extra)

    def _saying_what_is_tied(self, config: ModelConfig) -> ModelConfig:
        """A config of this model, and those of its parts in it, by which of the parameters share a tensor."""
        of_parts = {
            name: part._saying_what_is_tied(part.config)
            for part in self.parts.values()
            for name in config.field_names()
            if getattr(config, name) is part.config
        }
        config = config.replace(**of_parts) if of_parts else config
        tied = {name: self._held(name) is self._held(to) for name, to in self._own_ties}
        return config.with_ties(tied) if tied else config

    def prune_heads(self, heads: Mapping[int, Sequence[int]]) -> None:
        """Remove attention heads for good: layer -> numbers of the heads in the unpruned model.

        What was pruned is kept in ``config.pruned_heads`` and so survives saving and loading.
        """
        self._check_plain("prune_heads")
        # the config counts, and refuses what cannot be pruned before anything is
        asked = self.config.replace(pruned_heads=heads).pruned_heads
        pruned = dict(self.config.pruned_heads)
        present: dict[int, list[int]] = {}
        for layer, numbers in asked.items():
            before = pruned.get(layer, ())
            # heads removed earlier shift the places of those behind them
            present[layer] = [
                number - sum(gone < number for gone in before) for number in numbers if number not in before
            ]
            pruned[layer] = (*before, *numbers)
        config = self.config.replace(pruned_heads=pruned)
        self.backbone.prune_heads(present)
        self.config.become(config)

    def split_layers(self) -> Self:
        """Give linear layers of stacks and poolers the reference's names, for adapters and tools that look for these.

        What is fused here becomes a layer for each: ``projections.qkv`` gets ``query``, ``key`` and ``value``, or
        whatever they are called there. Results and saved files are the same; calls take a little longer. Gives the
        model itself, whose parameters are new ones.
        """
        self._check_plain("split_layers")
        split_layers(self, self.weight_table, self.head_name)
        return self

    @property
    def has_split_layers(self) -> bool:
        """Whether `split_layers` was called."""
        return any(isinstance(part, SplitLinear) for part in self.modules())

    def _held(self, name: str) -> object:
        """The parameter of this name, or what an adapter that wraps its layer gives for it."""
        owner, _, attribute = name.rpartition(".")
        return getattr(self.get_submodule(owner), attribute)

    def tie(self, name: str, to: str) -> None:
        """Make the parameter ``name`` the very tensor that the parameter ``to`` is."""
        owner, _, attribute = name.rpartition(".")
        setattr(self.get_submodule(owner), attribute, self.get_parameter(to))

    def tie_weights(self) -> None:
        """Make one of those parameters that the config ties: an output layer and the token table."""
        self._check_plain("tie_weights")
        for name, to in self.ties:
            if self.begins_tied(name):
                self.tie(name, to)

    def begins_tied(self, name: str) -> bool:
        """Whether the parameter of this name, one of `ties`, is the other one in a new model with this config."""
        part, own = self._part_with(name)
        return self.config.begins_tied(name) if part is None else part.begins_tied(own)

    def get_input_embeddings(self) -> nn.Module:
        """What turns ids into vectors, unscaled: the encoder's, which mostly is the decoder's as well.

        Raises `InputError` where the backbone does not say where it is.
        """
        owner, name = self._token_tables[0]
        return owner.get_submodule(name)

    def set_input_embeddings(self, embeddings: nn.Module) -> None:
        """Put another in its place; an output layer that was tied stays what it is until `tie_weights`."""
        for owner, name in self._token_tables:
            setattr(owner, name, embeddings)

    def get_output_embeddings(self) -> nn.Module | None:
        """The layer that turns states into scores of tokens, of rare ones where there are several; ``None`` without."""
        place = self.head.output_layer
        return None if place is None else place[0].get_submodule(place[1])

    def set_output_embeddings(self, layer: nn.Module) -> None:
        """Put another in its place; raises `InputError` where the head has none."""
        if self.head.output_layer is None:
            raise InputError(f"head {self.head_name!r} has no output layer of tokens")
        setattr(*self.head.output_layer, layer)

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None, mean_resizing: bool = True
    ) -> nn.Module:
        """Change the number of tokens, in ``config.vocab_size``, too; returns what `get_input_embeddings` does.

        It is ``new_num_tokens``, by default what it was, made up to a multiple of ``pad_to_multiple_of``. Old rows stay
        as they are. New ones are drawn from torch's generator, around the mean of the old ones or as a new model's;
        optimizers made before know neither. Raises `ConfigError` for a size that the config cannot have.
        """
        self.get_input_embeddings()
        self._resize("vocab_size", new_num_tokens, pad_to_multiple_of, mean_resizing)
        return self.get_input_embeddings()

    def resize_decoder_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None, mean_resizing: bool = True
    ) -> nn.Module:
        """The same for the tokens of the target, where these are others than the source's; returns their table.

        Raises `InputError` where both sides have the same ones.
        """
        key = self.config.target_vocabulary
        if key == "vocab_size":
            cure = "both sides have the same tokens; use resize_token_embeddings"
            raise InputError(f"resize_decoder_token_embeddings: {cure}")
        self._resize(key, new_num_tokens, pad_to_multiple_of, mean_resizing)
        owner, name = self.get_decoder().token_tables[0]
        return owner.get_submodule(name)

    def _resize(self, key: str, new_num_tokens: object, pad_to_multiple_of: object, mean_resizing: bool) -> None:
        present: int = getattr(self.config, key)
        size = checked(new_num_tokens, Size | None, "new_num_tokens", InputError) or present
        multiple = checked(pad_to_multiple_of, Size | None, "pad_to_multiple_of", InputError) or 1
        size = -(-size // multiple) * multiple
        if size != present:
            self._check_plain("another number of tokens")
            resize_tokens(self, key, size, mean_resizing=mean_resizing)

    def unfilled(self, config: ModelConfig) -> "Model":
        """A model like this one with this config, whose parameters have shapes and no values."""
        with unfilled_modules():
            return Model(self.architecture, config, self.head_name)

    def fill(self, path: str, module: nn.Module, generator: torch.Generator | None = None) -> None:
        """Fill the parameters of the module at a path as the architecture, or the head's own plan, does it."""
        part, own = self._part_with(path)
        if part is not None:
            part.fill(own, module, generator)
            return
        of_head = self.plan.initialise if f"{path}.".startswith("head.") else None
        (of_head or self.architecture.initialise)(path, module, self.config, generator)

    @property
    def _token_tables(self) -> Sequence[tuple[nn.Module, str]]:
        tables = self.backbone.token_tables
        if not tables:
            raise InputError(f"the backbone of {self.config.model_type} does not say what its token_tables are")
        return tables

    @property
    def _class_name(self) -> str:
        """What the reference calls such a model."""
        try:
            return self.architecture.class_of(self.head_name) or "Model"
        except UnknownNameError:  # made without a plugin
            return "Model"

    @property
    def plan(self) -> HeadPlan[Any]:
        """The plan of its head; not kept, for what pickles a model could not pickle the functions in it."""
        return self.architecture.plan(self.head_name)

    @property
    def parts(self) -> Mapping[str, "Model"]:
        """The models that it is made of, by their paths; those within them are theirs."""
        found: dict[str, Model] = {}
        for path, module in self.named_modules():
            if path and isinstance(module, Model) and not any(path.startswith(f"{outer}.") for outer in found):
                found[path] = module
        return found

    def _part_with(self, path: str) -> "tuple[Model | None, str]":
        """Which of its parts has what is at a path, and the path there; none where it is no part's."""
        module: nn.Module = self
        names = path.split(".")
        for place, name in enumerate(names[:-1], start=1):
            module = getattr(module, name)
            if isinstance(module, Model):
                return module, ".".join(names[place:])
        return None, path

    @property
    def ties(self) -> Ties:
        """Pairs of parameter names that may share a tensor."""
        within = ((path, pair) for path, part in self.parts.items() for pair in part.ties)
        return (*self._own_ties, *((f"{path}.{name}", f"{path}.{to}") for path, (name, to) in within))

    @property
    def _own_ties(self) -> Ties:
        plan = self.plan
        return (*self.architecture.ties(self.config, frozenset(plan.parts)), *plan.ties_of(self.config))

    @property
    def weight_table(self) -> WeightTable:
        """Names of this model's tensors in a checkpoint."""
        return self._table_of(self.config)

    def _table_of(self, config: ModelConfig) -> WeightTable:
        table = self.architecture.weight_table(config, self.head_name)
        return table.of_parts() if self.has_split_layers else table

    @property
    def language_head(self) -> LanguageHead:
        """The head, for generation; raises `InputError` where it does not predict one token after another."""
        if isinstance(self.head, LanguageHead):
            return self.head
        instead = [name for name in ("conditional-generation", "causal-lm") if name in self.architecture.heads]
        cure = f"; load the model with head={instead[0]!r}" if instead else ""
        raise NoLanguageHeadError(f"head {self.head_name!r} cannot generate{cure}")

    def get_encoder(self) -> Backbone:
        """The part that reads a source, called by itself; what it gives a call takes as ``encoder_outputs``.

        Raises `InputError` where there is none.
        """
        return self._side("get_encoder()", self.backbone.source_reader)

    def get_decoder(self) -> Backbone:
        """The part that predicts what follows, without its head; raises `InputError` where there is none."""
        return self._side("get_decoder()", self.backbone.text_writer)

    def _side(self, method: str, side: Backbone | None) -> Backbone:
        if side is None:
            raise InputError(f"{type(self).__name__} {hint('model', f'{method}, where there is none')}")
        return side

    @property
    def prepare_decoder_input_ids_from_labels(self) -> Callable[[Tensor], Tensor]:
        """From labels ``(B, T)`` to the decoder's input, which a call makes of them itself; only beside an encoder."""
        if self.head.targets is None:
            name = "prepare_decoder_input_ids_from_labels"
            raise AttributeError(no_attribute("model", name, (), type(self).__name__))
        return self.head.targets

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of all inputs that a call takes."""
        return tuple(sorted(self._backbone_inputs | self._head_inputs))

    def file_label(self, name: str) -> str:
        """What errors call a file of the checkpoint: with its folder, where the model came from one."""
        return name if self.origin is None else f"{self.origin}/{name}"

    @property
    def generation_config(self) -> "GenerationConfig":
        """Defaults for `generate`, from the checkpoint's ``generation_config.json``, else its ``config.json``."""
        return self._generation_config.above(
            self.config.of_generation, self.file_label("generation_config.json"), self.file_label("config.json")
        )

    @generation_config.setter
    def generation_config(self, given: object) -> None:
        from tfx_core.generation import GenerationConfig

        self._generation_config = GenerationConfig.of(given)

    @property
    def generation_options(self) -> "GenerationOptions":
        """The same, checked as a whole."""
        return self.generation_config.options()

    @property
    def max_positions(self) -> int | None:
        """The longest input in tokens, ``None`` where there is no limit."""
        return self.backbone.max_positions

    @property
    def most_read(self) -> int | None:
        """The longest text in tokens that `generate` goes on from."""
        return self.backbone.most_read

    def _lacks(self, name: str) -> str:
        """What an `AttributeError` says of a name that stands for nothing."""
        kind, config = type(self).__name__, vars(self).get("config")
        if config is not None and name == config.model_type.replace("-", "_"):
            return f"{kind} has no {name!r}: {hint('model', 'the model_type as an attribute')}"
        return no_attribute("model", name, dir(type(self)), kind)

    if not TYPE_CHECKING:  # a type checker would let every misspelled name pass

        def __getattr__(self, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError:
                own = getattr(type(self), name, None)
                if isinstance(own, property):  # which has failed, and says why
                    return own.fget(self)
                raise AttributeError(self._lacks(name)) from None

    @property
    def base_model(self) -> Backbone:
        """The backbone, which can be called alone."""
        return self.backbone

    @property
    def name_or_path(self) -> str:
        """The folder that it was loaded from; empty where it was made."""
        return self.origin or ""

    def can_generate(self) -> bool:
        """Whether it predicts one token after another."""
        return isinstance(self.head, LanguageHead) and self.backbone.text_writer is not None

    def num_parameters(self, only_trainable: bool = False, exclude_embeddings: bool = False) -> int:
        """Number of numbers in all parameters, shared ones counted once; in those that learn, without tables."""
        tables = {id(each.weight) for each in self.modules() if isinstance(each, nn.Embedding) and exclude_embeddings}
        counted = (each for each in self.parameters() if each.requires_grad or not only_trainable)
        return sum(each.numel() for each in counted if id(each) not in tables)


def _cure(name: str, value: object) -> str:
    """What to give in the place of a value that is no tensor or cache."""
    first = value[0] if isinstance(value, list | tuple) and value else value
    if name == "langs":
        habit = 'langs="fr"'
    elif isinstance(first, str):
        habit = 'model("a text")'
    elif name == "past_key_values":
        habit = "past_key_values=((keys, values), …)"
    elif isinstance(value, list | tuple) or hasattr(value, "__array__"):
        habit = "model([[1, 2]])"
    else:
        return ""
    return f"; {hint('model(…)', habit)}"


def _check_mask(name: str, mask: Tensor) -> None:
    """Raise `InputError` for a mask with other numbers than 0 and 1; not where it would have to wait for a device."""
    if mask.dtype == torch.bool or mask.device.type != "cpu" or not can_read(mask):
        return
    wrong = mask[(mask != 0) & (mask != 1)]
    if len(wrong):
        raise InputError(f"{name}: {float(wrong[0]):g} is neither 1 nor 0")
