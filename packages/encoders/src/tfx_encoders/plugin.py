"""What this distribution gives to tfx; imports neither torch nor the architectures."""

from tfx_core.plugins import ArchitectureSpec, hookimpl

TFX_API = 1


@hookimpl
def tfx_architectures() -> list[ArchitectureSpec]:
    """The encoders."""
    return [
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
        ArchitectureSpec(
            "distilbert",
            target="tfx_encoders.distilbert:ARCHITECTURE",
            hf_classes={
                "DistilBertModel": "backbone",
                "DistilBertForMaskedLM": "masked-lm",
                "DistilBertForSequenceClassification": "sequence-classification",
                "DistilBertForTokenClassification": "token-classification",
                "DistilBertForQuestionAnswering": "question-answering",
                "DistilBertForMultipleChoice": "multiple-choice",
            },
            capabilities=("token-states",),
            tokenizer_classes=("DistilBertTokenizer", "DistilBertTokenizerFast", "BertTokenizer", "BertTokenizerFast"),
            summary="Half of BERT's layers, distilled from it; no token types, no pooler",
            paper="https://arxiv.org/abs/1910.01108",
        ),
        ArchitectureSpec(
            "electra",
            target="tfx_encoders.electra:ARCHITECTURE",
            hf_classes={
                "ElectraModel": "backbone",
                "ElectraForMaskedLM": "masked-lm",
                "ElectraForCausalLM": "causal-lm",
                "ElectraForPreTraining": "pretraining",
                "ElectraForSequenceClassification": "sequence-classification",
                "ElectraForTokenClassification": "token-classification",
                "ElectraForQuestionAnswering": "question-answering",
                "ElectraForMultipleChoice": "multiple-choice",
            },
            capabilities=("token-states",),
            tokenizer_classes=("ElectraTokenizer", "ElectraTokenizerFast", "BertTokenizer", "BertTokenizerFast"),
            summary="Discriminator pretrained to find replaced tokens, and the generator that replaces them",
            paper="https://arxiv.org/abs/2003.10555",
        ),
    ]
