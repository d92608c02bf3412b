"""The official data files: imported or pulled once, checked against pinned SHA-256 sums, read from the user's data folder.

promptlab ships none of these files, only `data/official.json`, which says of each one where it is published and what its
bytes must be. A file that does not match is never put in place and never scored.
"""
