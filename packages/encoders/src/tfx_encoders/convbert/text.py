"""ConvBERT's tokenizer: BERT's word pieces."""

from tfx_encoders.word_pieces import word_piece_recipe

RECIPE = word_piece_recipe("ConvBertTokenizer")
