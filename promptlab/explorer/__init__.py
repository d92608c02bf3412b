"""The explorer's pages: one file per page, each with `render(store, filters)`.

`load` reads run folders, `filters` keeps every choice in the URL, `plain` is the only way text from outside reaches the
screen, `frame` puts the frame around a page. Nothing here calls a model or writes to a run.
"""
