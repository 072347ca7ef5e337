"""What this distribution provides, by name. What lists plugins imports this file: import no torch here."""

from tfx_core import ArchitectureSpec, hookimpl

TFX_API = 1  # the level of the plugin protocol that this is written for


@hookimpl
def tfx_architectures() -> list[ArchitectureSpec]:
    """The model type, and where its parts are imported from when it is first used."""
    return [
        ArchitectureSpec(
            "example-architecture",  # the model_type of config.json
            target="tfx_example_architecture.architecture:ARCHITECTURE",
            hf_classes={  # what stands under "architectures" in config.json -> the head that such a checkpoint has
                "ExampleModel": "backbone",
                "ExampleForCausalLM": "causal-lm",
                "ExampleForSequenceClassification": "sequence-classification",
                "ExampleForTokenClassification": "token-classification",
            },
            tokenizer_classes=("ExampleTokenizer",),  # those that text.py can read
            capabilities=("token-states",),  # what heads of other distributions may build on
            summary="Rotary positions, RMS norm, grouped queries, a gated feed-forward",
            paper="https://arxiv.org/abs/2302.13971",
        )
    ]
