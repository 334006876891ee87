"""A transport run beside a test, and waiting for what comes of it."""

import asyncio
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def running(transport, intake):
    """The transport's task, cancelled at the end."""
    task = asyncio.create_task(transport.run(intake))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition, within_s=10.0):
    """Wait for a condition; an error tells when it never comes."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)
