"""An ASGI application without a framework: it sends its answer line by line."""

import asyncio


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "http":
        await countdown(receive, send)
    else:
        raise ValueError(f"{scope['type']} is not served here")


async def lifespan(receive, send):
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def countdown(receive, send):
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for number in (3, 2, 1):
        line = f"{number}\n".encode()
        await send({"type": "http.response.body", "body": line, "more_body": True})
        # Others are served meanwhile: this waits on the event loop and holds no thread.
        await asyncio.sleep(0.01)
    await send({"type": "http.response.body", "body": b"Hello world!\n"})
