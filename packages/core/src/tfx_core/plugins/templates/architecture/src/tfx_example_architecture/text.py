"""How ``vocab.json`` and ``merges.txt`` are read, where a folder has no ``tokenizer.json``.

`tfx_core.text.recipes` has recipes of other kinds. Without any, leave ``text`` out of the architecture: a folder needs
its ``tokenizer.json`` then.
"""

from tfx_core.text import TextFacts
from tfx_core.text.recipes import byte_bpe_recipe

RECIPE = byte_bpe_recipe(
    TextFacts(
        tokenizer_class="ExampleTokenizer",
        special_tokens={"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
    )
)
