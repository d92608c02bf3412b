"""Frames of replies: what they say around an answer, and what an English reply would say instead, in the order of their use."""
