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
            "mbart",
            target="tfx_seq2seq.mbart:ARCHITECTURE",
            hf_classes={
                "MBartModel": "backbone",
                "MBartForConditionalGeneration": "conditional-generation",
                "MBartForSequenceClassification": "sequence-classification",
                "MBartForQuestionAnswering": "question-answering",
                "MBartForCausalLM": "causal-lm",
            },
            capabilities=("token-states",),
            tokenizer_classes=("MBartTokenizer", "MBartTokenizerFast", "MBart50Tokenizer", "MBart50TokenizerFast"),
            summary="Encoder-decoder for 25 or 50 languages, pretrained by restoring corrupted text; translates",
            paper="https://arxiv.org/abs/2001.08210",
        ),
        ArchitectureSpec(
            "marian",
            target="tfx_seq2seq.marian:ARCHITECTURE",
            hf_classes={
                "MarianModel": "backbone",
                "MarianMTModel": "conditional-generation",
                "MarianForCausalLM": "causal-lm",
            },
            capabilities=("token-states",),
            tokenizer_classes=("MarianTokenizer",),
            summary="Encoder-decoder that translates, as OPUS-MT's thousand models; two vocabularies or one",
            paper="https://arxiv.org/abs/1804.00344",
        ),
        ArchitectureSpec(
            "mt5",
            target="tfx_seq2seq.mt5:ARCHITECTURE",
            hf_classes={
                "MT5Model": "backbone",
                "MT5ForConditionalGeneration": "conditional-generation",
                "MT5EncoderModel": "encoder-only",
                "MT5ForSequenceClassification": "sequence-classification",
                "MT5ForTokenClassification": "token-classification",
                "MT5ForQuestionAnswering": "question-answering",
            },
            capabilities=("token-states",),
            # released files name T5's, which is the same one
            tokenizer_classes=("MT5Tokenizer", "MT5TokenizerFast", "T5Tokenizer", "T5TokenizerFast"),
            summary="T5 1.1 for a hundred languages: text-to-text encoder-decoder pretrained on all of them",
            paper="https://arxiv.org/abs/2010.11934",
        ),
        ArchitectureSpec(
            "pegasus",
            target="tfx_seq2seq.pegasus:ARCHITECTURE",
            hf_classes={
                "PegasusModel": "backbone",
                "PegasusForConditionalGeneration": "conditional-generation",
                "PegasusForCausalLM": "causal-lm",
            },
            capabilities=("token-states",),
            tokenizer_classes=("PegasusTokenizer", "PegasusTokenizerFast"),
            summary="Encoder-decoder pretrained by writing the sentences that were taken out of a text; summarises",
            paper="https://arxiv.org/abs/1912.08777",
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
