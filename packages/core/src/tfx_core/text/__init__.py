"""Text to token ids and back, as each family of models was trained on it."""
