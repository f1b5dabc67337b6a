"""A TCP way to a test's database that can be closed, cut and made to hang."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

from psycopg2.extensions import parse_dsn

from tests.support.postgres import Database


class Gateway:
    """Use it as a context manager; ``database`` is the way through it."""

    def __init__(self, database: Database) -> None:
        self._behind = database
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def database(self) -> Database:
        user = parse_dsn(self._behind.url)["user"]
        url = f"postgresql://{user}@127.0.0.1:{self.port}/{self._behind.name}"
        return Database(f"{url}?sslmode=disable&gssencmode=disable", self._behind.name)

    def down(self) -> None:
        """Refuse connections and cut those that there are, as a stopped server does."""
        self._run(self._close())

    def up(self) -> None:
        """Let connections through, old ones go on."""
        self._run(self._open())

    def hang(self) -> None:
        """Keep all connections, accept new ones, and let nothing through."""
        self._run(self._stall())

    def __enter__(self) -> Gateway:
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _open(self) -> None:
        self._flows.set()
        if self._server is None:
            self._server = await asyncio.start_server(
                self._accepted, "127.0.0.1", self.port
            )
            self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _stall(self) -> None:
        self._flows.clear()

    async def _end(self) -> None:
        self._flows.set()
        await self._close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accepted(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with self._held(writer):
            far_reader, far_writer = await self._reach()
            with self._held(far_writer):
                await asyncio.gather(
                    self._pump(reader, far_writer), self._pump(far_reader, writer)
                )

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        behind = parse_dsn(self._behind.url)
        host, port = behind["host"], int(behind.get("port", 5432))
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    @contextlib.contextmanager
    def _held(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        """From its first moment a connection can be cut, and it ends with the block."""
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
