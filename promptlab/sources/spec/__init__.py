"""The files that people write: read strictly, every problem at once, with its line."""
