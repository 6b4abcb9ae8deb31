"""Questions about a case, or about many runs of it: a folder each; `questions` and `run_studies` offer them in Python.

About a case: `spectrum`, `exits`, `stationary`.   About its runs: `convergence`, `sweep`.   While they go on: `watch`.
`study_views` shows results in a notebook, `stored_runs` knows which runs need not be solved again.
"""
