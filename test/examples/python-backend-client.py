"""python-socketio's own client, as anyone would write it: joins a room, speaks, and prints what it hears of others."""

import asyncio
import sys

import socketio


async def main(url: str, token: str) -> None:
    client = socketio.AsyncClient()
    heard: asyncio.Queue = asyncio.Queue()
    client.on("message", heard.put)
    await client.connect(url, auth={"token": token})
    assert await client.call("join", "lobby") == {"ok": True}
    await client.call("message", {"room": "lobby", "text": "hello from Python"})
    while (message := await heard.get())["text"] == "hello from Python":
        pass
    print(f"{message['from']}: {message['text']}")
    await client.disconnect()


asyncio.run(main(*sys.argv[1:]))
