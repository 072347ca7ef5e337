"""What this distribution gives to tfx; imports neither torch nor the architectures."""

from tfx_core.plugins import ArchitectureSpec, hookimpl

TFX_API = 1


@hookimpl
def tfx_architectures() -> list[ArchitectureSpec]:
    """The encoder-decoders."""
    return [
        ArchitectureSpec(
            "bart",
            target="tfx_seq2seq.bart:ARCHITECTURE",
            hf_classes={
                "BartModel": "backbone",
                "BartForConditionalGeneration": "conditional-generation",
                "BartForSequenceClassification": "sequence-classification",
                "BartForQuestionAnswering": "question-answering",
                "BartForCausalLM": "causal-lm",
            },
            capabilities=("token-states",),
            # version 5 of transformers has RoBERTa's tokenizer, the same one, write its folders
            tokenizer_classes=("BartTokenizer", "BartTokenizerFast", "RobertaTokenizer", "RobertaTokenizerFast"),
            summary="Encoder-decoder pretrained by restoring corrupted text; summarises, translates, classifies",
            paper="https://arxiv.org/abs/1910.13461",
        ),
        ArchitectureSpec(
            "prophetnet",
            target="tfx_seq2seq.prophetnet:ARCHITECTURE",
            hf_classes={
                "ProphetNetModel": "backbone",
                "ProphetNetForConditionalGeneration": "conditional-generation",
                "ProphetNetForCausalLM": "causal-lm",
                "ProphetNetEncoder": "encoder-only",
                "ProphetNetDecoder": "decoder-only",
            },
            capabilities=("token-states",),
            tokenizer_classes=("ProphetNetTokenizer",),
            summary="Encoder-decoder that learns to predict several tokens ahead; summarises, asks questions",
            paper="https://arxiv.org/abs/2001.04063",
        ),
        ArchitectureSpec(
            "t5",
            target="tfx_seq2seq.t5:ARCHITECTURE",
            hf_classes={
                "T5Model": "backbone",
                "T5ForConditionalGeneration": "conditional-generation",
                "T5EncoderModel": "encoder-only",
                "T5ForSequenceClassification": "sequence-classification",
                "T5ForTokenClassification": "token-classification",
                "T5ForQuestionAnswering": "question-answering",
                "T5WithLMHeadModel": "conditional-generation",
            },
            capabilities=("token-states",),
            tokenizer_classes=("T5Tokenizer", "T5TokenizerFast"),
            summary="Text-to-text encoder-decoder with bucketed relative positions and task prefixes",
            paper="https://arxiv.org/abs/1910.10683",
        ),
        ArchitectureSpec(
            "xlm-prophetnet",
            target="tfx_seq2seq.xlm_prophetnet:ARCHITECTURE",
            hf_classes={
                "XLMProphetNetModel": "backbone",
                "XLMProphetNetForConditionalGeneration": "conditional-generation",
                "XLMProphetNetForCausalLM": "causal-lm",
                "XLMProphetNetEncoder": "encoder-only",
                "XLMProphetNetDecoder": "decoder-only",
            },
            capabilities=("token-states",),
            tokenizer_classes=("XLMProphetNetTokenizer",),
            summary="ProphetNet with a vocabulary for a hundred languages",
            paper="https://arxiv.org/abs/2004.01401",
        ),
    ]
