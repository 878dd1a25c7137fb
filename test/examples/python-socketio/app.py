import os

import socketio

# `REDIS_URL`, which the stack sets: host, user, password and TLS in one. The user may use channels of this prefix alone.
manager = socketio.AsyncRedisManager(os.environ["REDIS_URL"], channel="hub:socketio")
server = socketio.AsyncServer(async_mode="asgi", client_manager=manager)


@server.event
async def message(sid, text):
    await server.emit("message", text)


async def health(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"ok"})


app = socketio.ASGIApp(server, other_asgi_app=health)
