"""Who does the runs of a sweep: this process, worker processes on this machine, or a dask cluster.

An engine takes tasks one by one as its workers become free, and gives outcomes as they come; it knows nothing of files
or dimensions.  `engine` has the plain loop, `process_pool` warm workers with pipes of their own, `dask_cluster` hands
tasks to `dask.distributed`; `slurm_script` writes what a Slurm array runs, each element a share of the sweep.
"""
