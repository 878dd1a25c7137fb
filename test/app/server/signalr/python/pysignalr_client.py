"""A client of pysignalr, as its documentation has it: it says what it gets as lines of JSON."""

import asyncio
import json
import os
import sys

from pysignalr.client import SignalRClient
from pysignalr.protocol.json import JSONProtocol
from pysignalr.protocol.messagepack import MessagepackProtocol

protocol = {"json": JSONProtocol, "messagepack": MessagepackProtocol}[sys.argv[2]]
url, token, room = os.environ["URL"], os.environ["TOKEN"], os.environ["ROOM"]


def say(**what):
    print(json.dumps(what), flush=True)


async def connect(hub):
    client = SignalRClient(
        f"{url}/{hub}", protocol=protocol(), headers={"Authorization": f"Bearer {token}"}
    )
    opened = asyncio.Event()
    opens = []

    async def on_open():
        opens.append(hub)
        if len(opens) > 1:
            say(reconnected=hub)
        opened.set()

    async def on_error(completion):
        say(error=completion.error)

    async def say_event(event, arguments):
        say(**{event: arguments[0]})

    for event in ("welcome", "message"):
        client.on(event, lambda arguments, event=event: say_event(event, arguments))
    client.on_open(on_open)
    client.on_error(on_error)
    running.append(asyncio.create_task(client.run()))
    await asyncio.wait_for(opened.wait(), 60)
    return client


async def invoke(client, name, *arguments):
    replied = asyncio.get_running_loop().create_future()

    async def on_reply(completion):
        replied.set_result(completion.result)

    await client.send(name, list(arguments), on_reply)
    return await asyncio.wait_for(replied, 60)


async def stream(client, name, *arguments):
    items = []
    ended = asyncio.Event()

    async def on_next(item):
        items.append(item)

    async def on_end(_):
        ended.set()

    await client.stream(name, list(arguments), on_next, on_end, on_end)
    await asyncio.wait_for(ended.wait(), 60)
    return items


async def line():
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


running = []


async def main():
    chat = await connect("chathub")
    say(joined=await invoke(chat, "Join", room))
    say(published=await invoke(chat, "Publish", room, {"text": "ä\n“1”"}, "first"))
    await invoke(chat, "Join", "forbidden")
    llm = await connect("llmhub")
    say(answer=await stream(llm, "Answer", room, "count to 20"))
    say(ready=True)
    # Whoever started this has it go on when its instance has left.
    await line()
    say(rejoined=await invoke(chat, "Join", room))
    say(published=await invoke(chat, "Publish", room, "again", "second"))
    await line()
    os._exit(0)


asyncio.run(main())
