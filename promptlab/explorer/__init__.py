"""The explorer's pages: one file per page, each with `render(view, address)`.

`load` reads run folders, `address` keeps every choice in the URL, `plain` is the only way text from outside reaches the
screen, `shell` puts the frame around a page. Nothing here calls a model or writes to a run.
"""
