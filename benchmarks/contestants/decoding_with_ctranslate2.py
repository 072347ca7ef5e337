"""CTranslate2 decoding: takes the file of the work, the file for the tokens and the type of the weights.

Its model, converted by `to_ctranslate2.py`, lies in the folder ``ctranslate2`` inside the model's.
"""

from pathlib import Path
from typing import Any

import ctranslate2
from decoding import Generate, Work, compete


def prepare(work: Work, kind: str) -> Generate:
    """The model, ready."""
    folder = str(Path(work.model) / "ctranslate2")
    common: dict[str, Any] = {"compute_type": kind, "inter_threads": 1, "intra_threads": work.threads}
    if work.encoder_decoder:
        translator = ctranslate2.Translator(folder, **common)

        def translate(texts: list[list[int]], beams: int, new_tokens: int) -> list[list[int]]:
            results = translator.translate_batch(
                [[str(each) for each in text] for text in texts],
                beam_size=beams,
                min_decoding_length=new_tokens,
                max_decoding_length=new_tokens,
            )
            return [[int(token) for token in result.hypotheses[0]] for result in results]

        return translate
    generator = ctranslate2.Generator(folder, **common)

    def generate(texts: list[list[int]], beams: int, new_tokens: int) -> list[list[int]]:
        results = generator.generate_batch(
            [[str(each) for each in text] for text in texts],
            beam_size=beams,
            min_length=new_tokens,
            max_length=new_tokens,
            include_prompt_in_result=False,
        )
        return [list(result.sequences_ids[0]) for result in results]

    return generate


if __name__ == "__main__":
    compete(prepare)
