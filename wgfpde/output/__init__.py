"""What a run looks like: figures and films (`plots`), a page (`report`), numbers beside another run (`compare`).

`promises` and `inequalities` say what was promised and kept, `notebook` is a run in a notebook.
"""
