"""Who does the runs of a sweep: this process, worker processes on this machine, or a dask cluster.

An engine takes tasks one by one as its workers become free, and gives outcomes as they come; it knows nothing of files
or dimensions.  `serial` is the plain loop, `process_pool` the standard library's pool with warm workers, `dask_cluster`
hands tasks to `dask.distributed`; `slurm_script` writes what a Slurm array runs, each element a share of the sweep.
"""
