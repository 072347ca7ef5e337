"""DistilBERT's tokenizer: BERT's word pieces, for a model without token types."""

from tfx_encoders.word_pieces import word_piece_recipe

RECIPE = word_piece_recipe("DistilBertTokenizer", token_types=False)
