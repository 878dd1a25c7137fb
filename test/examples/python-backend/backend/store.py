"""Each user's session, for all instances. Without Redis it lives in this process."""

import json
import time

from redis.asyncio import Redis

from .settings import Settings

session_seconds = 3_600


class Store:
    def __init__(self, settings: Settings) -> None:
        self._redis = Redis.from_url(settings.redis_url, socket_timeout=5) if settings.redis_url else None
        self._prefix = f"{settings.key_prefix}session:"
        self._own: dict[str, tuple[float, str]] = {}

    async def reachable(self) -> bool:
        return self._redis is None or bool(await self._redis.ping())

    async def session(self, subject: str) -> dict[str, object]:
        key = self._prefix + subject
        if self._redis is not None:
            text = await self._redis.get(key)
            return json.loads(text) if text else {}
        ends, text = self._own.get(key, (0.0, "{}"))
        return json.loads(text) if ends > time.monotonic() else {}

    async def save_session(self, subject: str, session: dict[str, object]) -> None:
        """Every key has an age: this Redis evicts nothing, and a full one refuses all writes."""
        text = json.dumps(session)
        if self._redis is not None:
            await self._redis.set(self._prefix + subject, text, ex=session_seconds)
            return
        now = time.monotonic()
        self._own = {key: kept for key, kept in self._own.items() if kept[0] > now}
        self._own[self._prefix + subject] = (now + session_seconds, text)

    async def close(self) -> None:
        if self._redis is not None:
            await self._redis.aclose()
