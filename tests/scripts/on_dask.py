"""The thumbnails of examples/thumbnails_dask.py on a local cluster of which a worker is killed, and then the whole cluster goes away.

    python on_dask.py examples/ output/ picture...

The worker that is given the sixth picture kills itself, once: it leaves the file `died` beside the picture. Prints what happens.
"""

import os
import signal
import sys
import time
from concurrent.futures import CancelledError

sys.path.insert(0, sys.argv[1])

import dask
import thumbnails_dask
from distributed import Client, LocalCluster
from thumbnails_pep342 import Size

from trampoline import Trampoline, gather, run_in, sleep, timeout


def dies_once(filename, thumbsize):
    if os.path.basename(filename) == "5.png":
        try:
            os.close(os.open(os.path.join(os.path.dirname(filename), "died"), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    return thumbnails_dask.create_thumbnail(filename, thumbsize)


def in_other_ways(client):
    """Return the results of a future of Dask's, of the executor that it has, and what becomes of a call that is no longer waited for."""
    never = client.submit(len, "x", resources={"which no worker has": 1})
    try:
        yield timeout(0.1, never)
    except TimeoutError:
        late = never.cancelled()
    try:
        yield client.submit(int, "x")
    except ValueError as error:
        return (yield client.submit(len, "abc")), (yield run_in(client.get_executor(), len, "abcd")), late, str(error)


def loses_the_cluster(cluster, client):
    """Return what becomes of two calls that wait as the cluster goes away, and of one that is made afterwards."""

    def waits():
        try:
            yield run_in(client, time.sleep, 60, pure=False)
        except CancelledError:
            return "cancelled"

    def goes():
        yield sleep(0.1)
        cluster.close()
        client.close()

    found = yield gather(waits(), waits(), goes())
    try:
        yield run_in(client, len, "abc")
    except Exception:  # which one depends on the release of distributed
        found.append("refused")
    return found


def main():
    output, *pictures = sys.argv[2:]
    dask.config.set({"distributed.comm.timeouts.connect": "5s"})
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    client = Client(cluster)
    with Trampoline() as t:
        t.add(thumbnails_dask.write_thumbnails(client, Size(40, 40), Size(20, 20), pictures, output, 6, dies_once))
        print(t.run(), "thumbnails")
        t.add(in_other_ways(client))
        print(t.run())
        t.add(loses_the_cluster(cluster, client))
        print(t.run())


if __name__ == "__main__":
    main()
