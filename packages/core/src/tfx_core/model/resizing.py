"""Another number of tokens for a model: in its tables, its output layers and their biases.

What the number of tokens shapes is found, not told: a model is built twice, without values, for the number that it has
and for the one that it shall have, and what differs between the two is changed.
"""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Size, Tensor, nn

from tfx_core.errors import InputError

if TYPE_CHECKING:
    from tfx_core.model.model import Model

_SPREAD = 1e-9
"""Of new rows, as a factor of the old ones' covariance: near to their mean, so that they take no probability from
others, and different from each other (Hewitt 2021, "Initializing new word embeddings for pretrained language models").
"""
_DRAWN = 256
"""How many of them are made at once."""


def resize_tokens(model: "Model", key: str, size: int, *, mean_resizing: bool) -> None:
    """Give the model ``size`` tokens of the kind that a ``key`` of its config counts, which says it then.

    Old rows stay as they are, tied parameters tied.

    New rows are drawn around the mean of the old ones, or as the architecture fills a new model's. Raises `ConfigError`
    where the config cannot have that size, and `InputError` where the model is no longer what its config says; nothing
    is changed then.
    """
    config = model.config.replace(**{key: size})
    check_shapes(model)
    old, new = model.unfilled(model.config), model.unfilled(config)
    changed = list(_changed(model, old, new))
    uses = Counter(id(present) for _, present, _ in changed)
    # a layer that is the token table, too, learned its bias with it
    tied = {name.rpartition(".")[0] for name, present, _ in changed if uses[id(present)] > 1}
    made: dict[int, nn.Parameter] = {}
    for name, present, shape in changed:
        path, _, attribute = name.rpartition(".")
        if id(present) not in made:
            by_mean = mean_resizing and present.shape[1:] == shape[1:] and (present.dim() > 1 or path not in tied)
            like = _around_mean(present.detach(), shape) if by_mean else _initial(new, path, attribute)
            values = _with_old_rows(like.detach().to(present), present.detach())
            made[id(present)] = nn.Parameter(values, requires_grad=present.requires_grad)
        setattr(model.get_submodule(path), attribute, made[id(present)])
    _resize_modules(model, old, new)
    model.config.become(config)


def check_shapes(model: "Model") -> None:
    """Raise `InputError` for a parameter that is not as the config says: `tfx_core.load_model` would refuse it."""
    given, whole = dict(model.named_parameters(remove_duplicate=False)), model.unfilled(model.config)
    whole = whole.split_layers() if model.has_split_layers else whole
    for name, wanted in whole.named_parameters(remove_duplicate=False):
        present = given.get(name)
        is_like = present is not None and present.is_floating_point() == wanted.is_floating_point()
        if present is None or not is_like or present.shape != wanted.shape:
            is_what = "missing" if present is None else f"{tuple(present.shape)} of {present.dtype}"
            raise InputError(
                f"{name} is {is_what}, and a model with this config has {tuple(wanted.shape)}: load_model would refuse "
                "it; change a model together with its config, the number of tokens by resize_token_embeddings"
            )


def _changed(model: "Model", old: nn.Module, new: nn.Module) -> Iterator[tuple[str, nn.Parameter, Size]]:
    """Name, parameter and new shape of what the number of tokens shapes; one of several names under each of them."""
    before = dict(old.named_parameters(remove_duplicate=False))
    present = dict(model.named_parameters(remove_duplicate=False))
    for name, parameter in new.named_parameters(remove_duplicate=False):
        if parameter.shape != before[name].shape:
            yield name, present[name], parameter.shape


def _initial(new: "Model", path: str, name: str) -> Tensor:
    """A parameter as a new model has it."""
    module = new.get_submodule(path)
    if module.get_parameter(name).is_meta:
        module.to_empty(device="cpu", recurse=False)
        new.fill(path, module)
    return module.get_parameter(name)


def _around_mean(old: Tensor, shape: Size) -> Tensor:
    """Rows ``(V, D)`` or numbers ``(V,)`` that are normal, with the mean of the old ones and, scaled, their covariance.

    Those in the places of old ones are zero.
    """
    rows = old.float().view(len(old), -1)
    mean = rows.mean(0)
    values = rows.new_zeros(shape[0], rows.shape[1])
    for begin in range(len(old), len(values), _DRAWN):
        new = values[begin : begin + _DRAWN]
        # sums of what the old ones differ by, times standard normal numbers, have the covariance of the old ones
        drawn = torch.randn(len(new), len(old), device=old.device) @ (rows - mean)
        new[:] = mean + drawn * (_SPREAD / len(old)) ** 0.5
    return values.view(shape)


def _with_old_rows(values: Tensor, old: Tensor) -> Tensor:
    common = tuple(map(slice, map(min, values.shape, old.shape)))
    values[common] = old[common]
    return values


def _resize_modules(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Let modules say the sizes that they have, ``num_embeddings`` and the like."""
    for path, module in old.named_modules():
        sizes, present = vars(new.get_submodule(path)), vars(model.get_submodule(path))
        present.update(
            {name: sizes[name] for name, value in vars(module).items() if _is_size(value) and sizes[name] != value}
        )


def _is_size(value: object) -> bool:
    return type(value) is int or (isinstance(value, tuple | list) and all(type(each) is int for each in value))
