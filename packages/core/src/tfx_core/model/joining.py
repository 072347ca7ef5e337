"""A new model made of models that there are: their configs become its own, and it begins with their weights."""

import logging
from collections.abc import Mapping
from typing import Any

from torch import nn

from tfx_core.errors import InputError, cleaned, shown
from tfx_core.model.architecture import Architecture
from tfx_core.model.model import Model

_log = logging.getLogger("tfx_core")


def joined_config(architecture: Architecture[Any], parts: Mapping[str, Model]) -> Mapping[str, Any]:
    """The keys that a model made of these has from them; raises `InputError` where it is not made of such."""
    if not parts:
        return {}
    for name, part in parts.items():
        if not isinstance(part, Model):
            raise InputError(f"parts: {name} is {shown(part)}; must be a model, or the folder or hub id of one")
    if architecture.join is None:
        raise InputError(f"parts: a {architecture.config.model_type} is not made of other models")
    return architecture.join(parts)


def take_over(model: Model, parts: Mapping[str, Model]) -> None:
    """Fill the modules of the backbone that are these parts with their weights; what a part lacks stays new.

    Raises `InputError` for a part that does not fit, and a warning names what is new.
    """
    for name, part in parts.items():
        place = model.backbone.get_submodule(name)
        if isinstance(place, Model) and place.head_name == "backbone":
            place = place.backbone  # whatever head the part has
        given: nn.Module = part if isinstance(place, Model) else part.backbone
        if isinstance(place, Model) and place.head_name != part.head_name:
            raise InputError(
                f"parts: {name} has head {part.head_name!r}; load it with head={place.head_name!r}, which is read here"
            )
        try:
            missing = place.load_state_dict(given.state_dict(), strict=False).missing_keys
        except RuntimeError as error:
            raise InputError(f"parts: {name} does not fit: {cleaned(str(error), 300)}") from None
        if missing:
            _log.warning("parts: %s lacks %s, which are new", name, cleaned(", ".join(missing), 300))
