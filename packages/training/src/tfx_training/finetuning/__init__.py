"""Fine-tuning: labelled rows of a user's files as objectives, one for each head, and how good the answers are."""
