"""The Socket.IO server: rooms and messages in the default namespace, on as many instances as share the channel."""

import socketio

from .settings import Settings
from .store import Store
from .users import Users

longest_name = 200
longest_text = 4_000
most_rooms = 100
"""Rooms that a connection may be in at once."""


class Realtime:
    def __init__(self, settings: Settings, users: Users, store: Store) -> None:
        self._users = users
        self._store = store
        self._manager = (
            socketio.AsyncRedisManager(
                settings.redis_url, channel=settings.channel, redis_options={"socket_keepalive": True}
            )
            if settings.redis_url
            else None
        )
        self.server = socketio.AsyncServer(
            async_mode="asgi",
            client_manager=self._manager,
            cors_allowed_origins=list(settings.origins) or None,
            max_http_buffer_size=100_000,
        )
        self.server.on("connect", self._connect)
        for event in (self._join, self._leave, self._message, self._remember, self._recall):
            self.server.on(event.__name__.removeprefix("_"), event)

    def start(self) -> None:
        """Subscribes now. python-socketio waits for the first client, who would miss what is emitted meanwhile."""
        if not self.server.manager_initialized:
            self.server.manager_initialized = True
            self.server.manager.initialize()

    @property
    def subscribed(self) -> bool:
        return self._manager is None or bool(self._manager.pubsub and self._manager.pubsub.subscribed)

    async def emit(self, room: str, sender: str, text: str) -> None:
        """At most once, to who is in the room now, on whichever instance."""
        await self.server.emit("message", {"room": room, "from": sender, "text": text}, room=room)

    async def _connect(self, sid: str, environ: dict, auth: object = None) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        subject = self._users.subject_of(token)
        if subject is None:
            raise socketio.exceptions.ConnectionRefusedError("give a valid token in auth.token")
        await self.server.save_session(sid, {"subject": subject})

    async def _join(self, sid: str, room: object = None) -> dict:
        if not is_text(room, longest_name):
            return refusal(f"a room's name must be a text of 1 to {longest_name} characters")
        # The connection's own room is among them.
        if len(self.server.rooms(sid)) > most_rooms:
            return refusal(f"a connection may be in {most_rooms} rooms")
        await self.server.enter_room(sid, room)
        return {"ok": True}

    async def _leave(self, sid: str, room: object = None) -> dict:
        if room in self.server.rooms(sid) and room != sid:
            await self.server.leave_room(sid, room)
        return {"ok": True}

    async def _message(self, sid: str, message: object = None) -> dict:
        if not isinstance(message, dict) or not is_text(message.get("text"), longest_text):
            return refusal(f"a message must be an object with a text of 1 to {longest_text} characters")
        room = message.get("room")
        if not isinstance(room, str) or room not in self.server.rooms(sid) or room == sid:
            return refusal("join the room first")
        await self.emit(room, await self._subject(sid), message["text"])
        return {"ok": True}

    async def _remember(self, sid: str, note: object = None) -> dict:
        if not is_text(note, longest_text):
            return refusal(f"a note must be a text of 1 to {longest_text} characters")
        await self._store.save_session(await self._subject(sid), {"note": note})
        return {"ok": True}

    async def _recall(self, sid: str, _: object = None) -> dict:
        session = await self._store.session(await self._subject(sid))
        return {"ok": True, "note": session.get("note")}

    async def _subject(self, sid: str) -> str:
        return (await self.server.get_session(sid))["subject"]


def is_text(value: object, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest


def refusal(message: str) -> dict:
    return {"ok": False, "error": message}
