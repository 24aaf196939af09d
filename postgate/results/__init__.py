"""The rows of a statement as the bytes of an answer, while they arrive."""
