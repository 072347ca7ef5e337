"""What tfx-llama provides; as light as a plugin must be, for it is imported whenever plugins are listed."""

from tfx_core import ArchitectureSpec, hookimpl

TFX_API = 1


@hookimpl
def tfx_architectures() -> list[ArchitectureSpec]:
    """Llama, under the names that its ``config.json`` and ``tokenizer_config.json`` files use."""
    return [
        ArchitectureSpec(
            "llama",
            target="tfx_llama.architecture:ARCHITECTURE",
            hf_classes={
                "LlamaModel": "backbone",
                "LlamaForCausalLM": "causal-lm",
                "LlamaForSequenceClassification": "sequence-classification",
                "LlamaForTokenClassification": "token-classification",
                "LlamaForQuestionAnswering": "question-answering",
            },
            capabilities=("token-states",),
            tokenizer_classes=("LlamaTokenizer", "LlamaTokenizerFast"),
            summary="A decoder with rotary positions, RMS norms, gated layers and keys that heads share",
            paper="https://arxiv.org/abs/2302.13971",
        )
    ]
