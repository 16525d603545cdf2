"""One worker process: every door on its own listening sockets, one event loop, one journal.

    python -m keystead.app.worker     < Orders as JSON (app.workers)

It answers one line, "ready", on standard output, and ends on SIGTERM when what is in flight has been answered.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import threading
from base64 import b64decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from ssl import SSLContext

import msgspec
import uvloop
from msgspec.structs import replace

from keystead import config
from keystead.app import hygiene, largepages
from keystead.app.clientcerts import Asking
from keystead.app.compose import Core
from keystead.app.doors import DOORS
from keystead.app.line import Line
from keystead.app.tls import server_context
from keystead.app.workers import Orders
from keystead.core.ports import HSM
from keystead.core.sensitive import Sensitive
from keystead.kit.batch import Batch
from keystead.kit.lane import Lane
from keystead.kit.listener import Listener
from keystead.kit.pool import Pool

GRACE_FOR = 5.0  # seconds
SETTLED_AFTER = 5.0  # seconds after which most of what it will hold for good is there
YOUNG = 10_000
"""Containers made before the collector looks for cycles: a request served makes some thirty, and no cycle."""


def main() -> None:
    hygiene.harden()
    hygiene.one_heap()
    hygiene.die_with_parent()
    orders = msgspec.json.decode(sys.stdin.buffer.read(), type=Orders)
    if os.getppid() != orders.supervisor:  # it died before die_with_parent
        return
    directory = Path(orders.directory)
    settings = config.read(directory)
    line = Line(socket.socket(fileno=orders.line))
    pins = {name: Sensitive(b64decode(pin)) for name, pin in orders.pins.items()}
    journal = f"worker-{orders.index}"
    core = Core(directory, settings, journal=journal, worker=orders.index, custody=line, pins=pins)
    try:
        if orders.unseal_key is not None:
            core.open(Sensitive(b64decode(orders.unseal_key)), settle=False)  # once for all, by the supervisor
        sockets = orders.sockets
        del orders
        uvloop.run(serve(core, settings, sockets, line.left))
    finally:
        core.close()


async def serve(core: Core, settings: config.Config, sockets: dict[str, int], left: threading.Event) -> None:
    """Until SIGTERM or SIGINT; a journal that cannot be written ends it (fail closed).

    `left` is set once no connection takes another request.
    """
    loop = asyncio.get_running_loop()
    core.view.loop_thread = threading.get_ident()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    core.entropy.start()
    batch = Batch(core.journal, core.generation, core.clock)
    lanes = {f"{HSM}{name}": Lane(name, hsm.sessions, hsm.wait_for, loop) for name, hsm in settings.hsms.items()}
    with (
        ThreadPoolExecutor(settings.thread_pool, "act") as threads,
        ThreadPoolExecutor(settings.xks.threads, "far") as waiting,
    ):
        near, far = Pool(threads, settings.thread_pool, loop), Pool(waiting, settings.xks.threads, loop)
        listeners = []
        most = hygiene.more_files() // len(sockets)
        for name, descriptor in sockets.items():
            limits = DOORS[name].limits
            limits = replace(limits, n_connections=min(limits.n_connections, most))
            clients = settings.clients.get(name)
            names = frozenset(map(str.lower, clients.names)) if clients else frozenset[str]()
            listener = Listener(core.front(DOORS[name]), batch, near, limits, far, lanes, names)
            context, listener.before = _tls(core, settings, name)
            await listener.listen(socket.socket(fileno=descriptor), context)
            listeners.append(listener)
        gc.collect()
        gc.freeze()  # what is here now stays: the collector need not look at it again
        gc.set_threshold(YOUNG)
        settling = loop.call_later(SETTLED_AFTER, threads.submit, largepages.collapse)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait((stopping, batch.failed), return_when=asyncio.FIRST_COMPLETED)
        settling.cancel()
        ending = [asyncio.ensure_future(listener.stop(GRACE_FOR)) for listener in listeners]
        await asyncio.sleep(0)  # each has begun
        left.set()
        await asyncio.gather(*ending)
        stopping.cancel()
    for lane in lanes.values():
        lane.close()
    if batch.failed.done():
        batch.failed.result()


def _tls(core: Core, settings: config.Config, name: str) -> tuple[SSLContext | None, Callable[[], None] | None]:
    """(of a door, what keeps it in step before connections are taken: whose certificates are asked for may change)."""
    tls, clients = settings.tls, settings.clients.get(name)
    if tls is None:
        return None, None
    if DOORS[name].asks and clients is None:
        asking = Asking(tls, core.anchors.certificates)
        return asking.context, asking.refresh
    return server_context(tls, clients), None


if __name__ == "__main__":
    main()
