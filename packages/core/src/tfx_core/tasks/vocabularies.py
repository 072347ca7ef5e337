"""Whether a tokenizer and a model belong together."""

import logging
from typing import TYPE_CHECKING

from tfx_core.errors import InputError, shown
from tfx_core.habits import hint

if TYPE_CHECKING:
    from tfx_core.model.model import Model
    from tfx_core.text import Tokenizer

_log = logging.getLogger("tfx_core")
_MOST_UNUSED, _UNUSED_SHARE = 128, 0.01


def check_vocabulary(model: "Model", tokenizer: "Tokenizer") -> None:
    """Raise `InputError` where a model reads no tokens or lacks ids of the tokenizer; warn where that knows far less.

    Far less is more than 128 tokens and more than one in a hundred: tables are made up to round numbers. The token for
    masks may be beyond the model, for the released summarisers lack its row; a call refuses its id.
    """
    from tfx_core.text import Tokenizer  # here, for who looks around imports this module

    if "input_ids" not in model.input_names and isinstance(tokenizer, Tokenizer):  # a task may read something else
        raise InputError(f"a {model.config.model_type} reads no text: a call takes {', '.join(model.input_names)}")
    size: int | None = getattr(model.config, "vocab_size", None)
    if size is None:
        return
    ids = tokenizer.get_vocab()
    last = max(ids.values(), default=-1)
    beyond = [token for token, number in ids.items() if number >= size and token != tokenizer.mask_token]
    where = "" if model.origin is None else f"{model.origin}: "
    if beyond:
        first = min(beyond, key=ids.__getitem__)
        raise InputError(
            f"{where}the tokenizer gives {shown(first)} the id {ids[first]}, and the model has {size} tokens, 0 to "
            f"{size - 1}; if it is this model's tokenizer, {hint('model', 'ids beyond the vocabulary')}"
        )
    if size - 1 - last > max(_MOST_UNUSED, _UNUSED_SHARE * size):
        _log.warning("%sthe tokenizer knows %d tokens, and the model %d: is it another model's?", where, last + 1, size)
