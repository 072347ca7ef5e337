"""The class of a model: named as the reference names it, with a ``forward`` that names its inputs.

Training loops and tracers read both: which columns of a dataset a model takes, which of them are labels, what it is.
"""

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfx_core.model.model import Model

_FIRST, _NAMED = Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY

_made: "dict[tuple[type, str, tuple[str, ...]], type[Model]]" = {}


def class_of(base: "type[Model]", name: str, inputs: tuple[str, ...]) -> "type[Model]":
    """A subclass of this name whose ``forward`` has these inputs in its signature; one for each such call."""
    key = base, name, inputs
    return _made.get(key) or _made.setdefault(key, _subclass(base, name, inputs))


def blank(base: "type[Model]", name: str, inputs: tuple[str, ...]) -> "Model":
    """An instance without contents, for those who copy or unpickle one."""
    kind = class_of(base, name, inputs)
    return kind.__new__(kind)


def _subclass(base: "type[Model]", name: str, inputs: tuple[str, ...]) -> "type[Model]":
    def forward(self: "Model", input_ids: Any = None, *more: Any, **given: Any) -> Any:
        return base.forward(self, input_ids, *more, **given)

    first = [Parameter("self", Parameter.POSITIONAL_ONLY), Parameter("input_ids", _FIRST, default=None)]
    # not keyword-only, though no other has a place: torch.jit.trace passes by name only what could also have one
    named = [Parameter(each, _FIRST, default=None) for each in inputs if each != "input_ids"]
    result = Parameter("return_dict", _NAMED, default=None, annotation=bool | None)
    forward.__doc__ = base.forward.__doc__
    vars(forward)["__signature__"] = Signature([*first, *named, result])
    members = {"forward": forward, "__module__": base.__module__, "__doc__": base.__doc__}
    return type(name, (base,), {**members, "made_of": (base, name, inputs)})
