"""Each user's session, for all instances. Without Redis it lives in this process."""

import asyncio
import json
import time

from redis.asyncio import Redis, RedisCluster

from .settings import Settings

session_seconds = 3_600


class Store:
    def __init__(self, settings: Settings) -> None:
        self._url = settings.redis_url
        self._redis: Redis | RedisCluster | None = None
        self._opening = asyncio.Lock()
        self._prefix = f"{settings.key_prefix}session:"
        self._own: dict[str, tuple[float, str]] = {}

    async def reachable(self) -> bool:
        return self._url is None or bool(await (await self._client(self._url)).ping())

    async def session(self, subject: str) -> dict[str, object]:
        key = self._prefix + subject
        if self._url is not None:
            text = await (await self._client(self._url)).get(key)
            return json.loads(text) if text else {}
        ends, text = self._own.get(key, (0.0, "{}"))
        return json.loads(text) if ends > time.monotonic() else {}

    async def save_session(self, subject: str, session: dict[str, object]) -> None:
        """Every key has an age: this Redis evicts nothing, and a full one refuses all writes."""
        text = json.dumps(session)
        if self._url is not None:
            redis = await self._client(self._url)
            await redis.set(self._prefix + subject, text, ex=session_seconds)
            return
        now = time.monotonic()
        self._own = {key: kept for key, kept in self._own.items() if kept[0] > now}
        self._own[self._prefix + subject] = (now + session_seconds, text)

    async def close(self) -> None:
        if self._redis is not None:
            await self._redis.aclose()

    async def _client(self, url: str) -> Redis | RedisCluster:
        """A cluster's keys need a client that knows which node has which; the server says what it is."""
        async with self._opening:
            if self._redis is None:
                single = Redis.from_url(url, socket_timeout=5)
                is_cluster = (await single.info("cluster"))["cluster_enabled"] == 1
                if is_cluster:
                    await single.aclose()
                self._redis = RedisCluster.from_url(url, socket_timeout=5) if is_cluster else single
            return self._redis
