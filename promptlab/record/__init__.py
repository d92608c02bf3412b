"""The run folder: the only contract between what writes results and what reads them."""
