"""A fit of rows that no process has all of: partitions of dask collections.

The scheduler is dask's, whichever is current: everything here is made of `dask.delayed` tasks, of
partitions and of networks, that `dask.persist` and `dask.compute` run. `collections` takes
collections apart, `partition` reads one of their partitions, `summary` merges what is known of all
of them after one pass, `block` has a partition as networks learn it, `trainer` trains networks
block after block and scores them, for the path of `skscale._selection`, and `fit` has the order of
events.
"""
