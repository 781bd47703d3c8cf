"""A link between processes that is as slow as a test says: a TCP proxy, run by a thread."""

import asyncio
import threading

# What goes on at once: so little that a slow link is slow evenly.
_PIECE = 4096
# Pieces of one direction that are under way at most: then the sender's window fills.
_UNDER_WAY = 1024
# For the target to answer, and for the thread to end.
_PATIENCE = 15


class SlowLink:
    """Listens on `address` from its making on and passes each connection on to what `target` says then.

    bytes_per_second: each way, of each connection; None: as fast as it can. latency: seconds each
    way. target: returns host:port, in the link's thread; where it raises OSError, KeyError or
    ValueError the connection is closed, and who came may come again. passed: bytes that reached the
    target, and that came back.
    """

    def __init__(self, target, bytes_per_second=None, latency=0):
        self.passed = [0, 0]
        self._target = target
        self._bytes_per_second = bytes_per_second
        self._latency = latency
        self._connections = set()  # their tasks
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._connected, "127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def _connected(self, reader, writer):
        task = asyncio.current_task()
        self._connections.add(task)
        try:
            host, port = self._target().rsplit(":", 1)
            there = await asyncio.wait_for(asyncio.open_connection(host, int(port)), _PATIENCE)
            try:
                await self._join((reader, writer), there)
            finally:
                there[1].transport.abort()
        except (OSError, KeyError, ValueError, asyncio.TimeoutError, asyncio.CancelledError):
            pass  # it is cut: who came sees it
        finally:
            writer.transport.abort()
            self._connections.discard(task)

    async def _join(self, here, there):
        """Until one of the two has left and heard all: our processes do not half-close."""
        ways = [asyncio.ensure_future(way) for way in (
            self._pass(here[0], there[1], 0), self._pass(there[0], here[1], 1))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(self, reader, writer, direction):
        """One direction of a connection, to the end of what `reader` gives."""
        under_way = asyncio.Queue(_UNDER_WAY)  # (when it is there, piece)
        delivery = asyncio.ensure_future(self._deliver(under_way, writer, direction))
        try:
            free_at = 0  # when the link can begin with the next piece
            while piece := await reader.read(_PIECE):
                free_at = max(free_at, self._loop.time())
                if self._bytes_per_second is not None:
                    free_at += len(piece) / self._bytes_per_second
                    await self._until(free_at)
                await under_way.put((free_at + self._latency, piece))
            await under_way.put((0, b""))
            await delivery
        finally:
            delivery.cancel()

    async def _deliver(self, under_way, writer, direction):
        while True:
            there_at, piece = await under_way.get()
            if not piece:
                writer.close()
                return await writer.wait_closed()  # it has got all
            await self._until(there_at)
            self.passed[direction] += len(piece)
            writer.write(piece)
            await writer.drain()

    async def _until(self, moment):
        wait = moment - self._loop.time()
        if wait > 0:
            await asyncio.sleep(wait)

    def close(self):
        """Cuts what is connected and ends the thread."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(_PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            raise AssertionError("the slow link's thread does not end")
        self._loop.close()

    async def _cut(self):
        self._server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
