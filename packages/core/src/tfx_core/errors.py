"""Errors that tfx raises on purpose: one line that names the file, the key and the value, and what would be accepted.

The command line prints such a message without a traceback and ends with exit code 1.
"""

__all__ = [
    "CheckpointError",
    "ConfigError",
    "HubError",
    "InputError",
    "PassageIndexError",
    "PluginError",
    "TextError",
    "TfxError",
    "UnknownNameError",
]


class TfxError(Exception):
    """Base of every error that tfx raises on purpose."""


class ConfigError(TfxError, ValueError):
    """A configuration value, from ``config.json`` or from a keyword, that cannot be used."""


class CheckpointError(TfxError, ValueError):
    """A checkpoint folder whose files are missing, damaged, hostile or do not fit the model."""


class HubError(TfxError, OSError):
    """A model id that could not be resolved or downloaded."""


class TextError(TfxError, ValueError):
    """Tokenizer files or text that cannot be processed as asked."""


class InputError(TfxError, ValueError):
    """Arguments of a model, head, task or generation call that contradict each other or the model."""


class PassageIndexError(TfxError, ValueError):
    """A passage index folder that is missing, damaged, or made with another model."""


class PluginError(TfxError, RuntimeError):
    """A plugin that failed, clashes with another, or does not fit this tfx-core."""


class UnknownNameError(TfxError, LookupError):
    """A name (architecture, head, task, attention, index) that nothing installed provides."""
