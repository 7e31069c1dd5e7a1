"""What left the workers of a Dask cluster, by their own logs of transfers."""


def _read(dask_worker):
    return [(entry["who"], dict(entry["keys"])) for entry in dask_worker.transfer_outgoing_log]


class OutgoingLog:
    """The transfers from a cluster's workers to anyone else, from now on.

    Workers may hand a block to each other, as one of them falls behind: these stay.
    """

    def __init__(self, client):
        self.client = client
        self._before = {worker: len(log) for worker, log in client.run(_read).items()}

    def results(self):
        """Return the bytes of each transfer, by the key of the task."""
        logs = self.client.run(_read)
        return [
            {str(key): size for key, size in moved.items()}
            for worker, log in logs.items()
            for who, moved in log[self._before[worker] :]
            if who not in logs
        ]

    def largest(self):
        """Return the bytes of the largest result."""
        return max(max(moved.values()) for moved in self.results())

    def blocks_of(self, *arrays):
        """Return the keys of blocks of some arrays that have left."""
        from dask.core import flatten

        keys = {str(key) for array in arrays for key in flatten(array.__dask_keys__())}
        return keys & {key for moved in self.results() for key in moved}
