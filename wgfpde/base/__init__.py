"""What every room may use, and what knows nothing of densities.

Text and values: `plain_text`, `toml`, `html`, `amounts` (seconds, bytes, memory), `case_table` (strict tables).
Files: `replaced_files` (whole, or as they were), `packaged`.   Kernels: `kernel_cache`, `kernel_pointer`.
The process: `own_process`, `floating_point` (NumPy's warnings).   What is not done, and what it costs: `unsupported`,
`effort`.
"""
