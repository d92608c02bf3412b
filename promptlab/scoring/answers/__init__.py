"""Where a reply holds its answer: thoughts and end tokens go, wrappers are opened, the last explicit conclusion is found.

`located` reads a reply once for every kind of answer; `spoken` is the reply without thoughts, which every metric gets.
"""
