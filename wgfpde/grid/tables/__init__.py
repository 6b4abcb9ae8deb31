"""Fields that come from files: tables of values at places, and pictures, whatever the file.

    text_columns, array_file, store.table_file    →  Table         places, values, what is missing
    Table  →  Tabulated  →  .on(grid)             a function of x (and y) with its forbidden places

What files say is checked here; that a file may be hostile is minded where it is read.
"""
