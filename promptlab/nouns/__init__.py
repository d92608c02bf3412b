"""Frozen data and the words for it; nothing here imports another part of promptlab."""
