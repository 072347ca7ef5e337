"""What this distribution gives to tfx; imports neither torch nor the architectures."""

from tfx_core.plugins import ArchitectureSpec, hookimpl

TFX_API = 1


@hookimpl
def tfx_architectures() -> list[ArchitectureSpec]:
    """The encoders."""
    return [
        ArchitectureSpec(
            "albert",
            target="tfx_encoders.albert:ARCHITECTURE",
            hf_classes={
                "AlbertModel": "backbone",
                "AlbertForMaskedLM": "masked-lm",
                "AlbertForPreTraining": "pretraining",
                "AlbertForSequenceClassification": "sequence-classification",
                "AlbertForTokenClassification": "token-classification",
                "AlbertForQuestionAnswering": "question-answering",
                "AlbertForMultipleChoice": "multiple-choice",
            },
            capabilities=("token-states", "pooled-state"),
            tokenizer_classes=("AlbertTokenizer", "AlbertTokenizerFast"),
            summary="BERT with a factorised embedding and shared layers, pretrained by masked tokens and their order",
            paper="https://arxiv.org/abs/1909.11942",
        ),
        ArchitectureSpec(
            "bert",
            target="tfx_encoders.bert:ARCHITECTURE",
            hf_classes={
                "BertModel": "backbone",
                "BertForMaskedLM": "masked-lm",
                "BertLMHeadModel": "causal-lm",
                "BertForNextSentencePrediction": "next-sentence",
                "BertForPreTraining": "pretraining",
                "BertForSequenceClassification": "sequence-classification",
                "BertForTokenClassification": "token-classification",
                "BertForQuestionAnswering": "question-answering",
                "BertForMultipleChoice": "multiple-choice",
            },
            capabilities=("token-states", "pooled-state"),
            tokenizer_classes=("BertTokenizer", "BertTokenizerFast"),
            summary="Bidirectional encoder pretrained by masked tokens and next sentences; also a decoder",
            paper="https://arxiv.org/abs/1810.04805",
        ),
    ]
