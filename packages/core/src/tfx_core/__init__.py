"""tfx: transformer models, a small core and one distribution per family.

Importing this package imports neither torch nor any plugin; each public name is imported on first use (PEP 562).
"""

from typing import TYPE_CHECKING

from tfx_core.first_use import on_first_use

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tfx_core.embedding import Passage, PassageIndex, TextEncoder, load_encoder
    from tfx_core.errors import TfxError
    from tfx_core.generation import GenerationConfig, TextIteratorStreamer, TextStreamer
    from tfx_core.model import (
        Architecture,
        Backbone,
        Model,
        ModelConfig,
        ModelOutput,
        load_model,
        load_tokenizer,
        new_model,
    )
    from tfx_core.plugins import (
        ArchitectureSpec,
        AttentionSpec,
        HeadSpec,
        IndexSpec,
        LinearSpec,
        ObjectiveSpec,
        TaskSpec,
        hookimpl,
        register,
        unregister,
    )
    from tfx_core.tasks import Task
    from tfx_core.tasks.pipeline import pipeline
    from tfx_core.text import Tokenizer

_HOMES = {
    "Architecture": "model",
    "ArchitectureSpec": "plugins",
    "AttentionSpec": "plugins",
    "Backbone": "model",
    "GenerationConfig": "generation",
    "HeadSpec": "plugins",
    "IndexSpec": "plugins",
    "LinearSpec": "plugins",
    "Model": "model",
    "ModelConfig": "model",
    "ModelOutput": "model",
    "ObjectiveSpec": "plugins",
    "Passage": "embedding",
    "PassageIndex": "embedding",
    "Task": "tasks",
    "TaskSpec": "plugins",
    "TextEncoder": "embedding",
    "TextIteratorStreamer": "generation",
    "TextStreamer": "generation",
    "TfxError": "errors",
    "Tokenizer": "text",
    "hookimpl": "plugins",
    "load_encoder": "embedding",
    "load_model": "model",
    "load_tokenizer": "model",
    "new_model": "model",
    "pipeline": "tasks",
    "register": "plugins",
    "unregister": "plugins",
}

__all__ = [
    "Architecture",
    "ArchitectureSpec",
    "AttentionSpec",
    "Backbone",
    "GenerationConfig",
    "HeadSpec",
    "IndexSpec",
    "LinearSpec",
    "Model",
    "ModelConfig",
    "ModelOutput",
    "ObjectiveSpec",
    "Passage",
    "PassageIndex",
    "Task",
    "TaskSpec",
    "TextEncoder",
    "TextIteratorStreamer",
    "TextStreamer",
    "TfxError",
    "Tokenizer",
    "__version__",
    "hookimpl",
    "load_encoder",
    "load_model",
    "load_tokenizer",
    "new_model",
    "pipeline",
    "register",
    "unregister",
]

_PACKAGES = (
    *("checkpoint", "collators", "embedding", "generation", "habits", "model", "nn", "plugins", "tasks", "text"),
    *("errors", "fields"),
)

__getattr__, __dir__ = on_first_use(__name__, _HOMES, __all__, _PACKAGES)
