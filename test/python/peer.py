"""What python-socketio does beside the service, at the word of a test: one JSON object a line, in and out."""

import asyncio
import base64
import json
import sys

import socketio
from aiohttp import web


def from_json(value):
    if isinstance(value, list):
        return [from_json(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "$bytes" in value:
        return base64.b64decode(value["$bytes"])
    if "$tuple" in value:
        return tuple(from_json(value["$tuple"]))
    return {key: from_json(each) for key, each in value.items()}


def to_json(value):
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, (list, tuple)):
        return [to_json(each) for each in value]
    if isinstance(value, dict):
        return {key: to_json(each) for key, each in value.items()}
    return value


def tell(**what):
    print(json.dumps(to_json(what)), flush=True)


async def commands():
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        yield from_json(json.loads(line))


async def publisher(redis_url):
    """A process that has no server: a worker that reports what it did."""
    manager = socketio.AsyncRedisManager(redis_url, write_only=True)
    tell(ready=True)
    async for command in commands():
        await manager.emit(**command)
        tell(done=True)


async def server(redis_url, port):
    sio = socketio.AsyncServer(
        async_mode="aiohttp", client_manager=socketio.AsyncRedisManager(redis_url), cors_allowed_origins="*"
    )

    @sio.event
    async def join(sid, room):
        joined = sio.enter_room(sid, room)
        if asyncio.iscoroutine(joined):
            await joined
        return "joined"

    @sio.event
    async def say(sid, data):
        await sio.emit("said", data, room=data["room"], skip_sid=sid)

    app = web.Application()
    sio.attach(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(port)).start()
    tell(ready=True)
    async for command in commands():
        if "disconnect" in command:
            await sio.disconnect(command["disconnect"])
        elif "enter" in command:
            entered = sio.enter_room(command["enter"], command["room"])
            if asyncio.iscoroutine(entered):
                await entered
        elif command.pop("asks", False):
            await sio.emit(**command, callback=lambda *args: tell(answered=args))
        else:
            await sio.emit(**command)
        tell(done=True)


async def client(url):
    sio = socketio.AsyncClient()

    @sio.on("*")
    async def heard(event, *args):
        tell(heard=[event, *args])

    @sio.on("question")
    async def question(data):
        return data + "!"

    await sio.connect(url)
    tell(ready=True)
    async for command in commands():
        event, *args = command["emit"]
        data = tuple(args) if len(args) != 1 else args[0]
        if command.get("asks"):
            tell(answered=await sio.call(event, data))
        else:
            await sio.emit(event, data)
            tell(done=True)


asyncio.run({"publisher": publisher, "server": server, "client": client}[sys.argv[1]](*sys.argv[2:]))
