"""A Starlette application: lifespan, state, streams, background."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
    print("lifespan: up", flush=True)
    yield {"name": "pool"}
    print("lifespan: down", flush=True)


async def echo(request: Request) -> Response:
    return Response(await request.body())


async def length(request: Request) -> Response:
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return Response(str(size))


async def info(request: Request) -> Response:
    extension = request.scope["extensions"]["gateway.fc"]
    return JSONResponse(
        {
            "state": request.state.name,
            "request_id": extension["context"].request_id,
            "url": str(request.url),
        }
    )


async def stream(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"part %d\n" % number
            await asyncio.sleep(0)

    return StreamingResponse(parts())


async def fail(_: Request) -> Response:
    raise LookupError("on purpose")


async def hang(_: Request) -> Response:
    await asyncio.sleep(60)
    return Response()


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/echo", echo, methods=["POST"]),
        Route("/length", length, methods=["POST"]),
        Route("/info", info),
        Route("/stream", stream),
        Route("/fail", fail),
        Route("/hang", hang),
    ],
)


async def cannot_start(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
