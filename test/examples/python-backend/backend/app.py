"""Health, HTTP and Socket.IO as one application."""

import asyncio
from contextlib import asynccontextmanager
from typing import Annotated

import socketio
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field
from redis.exceptions import RedisClusterException, RedisError

from .calls import Calls
from .realtime import Realtime, longest_name, longest_text
from .settings import Settings
from .store import Store
from .users import Users

Room = Annotated[str, Path(min_length=1, max_length=longest_name)]


class Message(BaseModel):
    text: str = Field(min_length=1, max_length=longest_text)


def create_app(settings: Settings) -> socketio.ASGIApp:
    users, store = Users(settings), Store(settings)
    realtime = Realtime(settings, users, store)
    readiness = Readiness(realtime, store)

    @asynccontextmanager
    async def lifespan(_: FastAPI):
        realtime.start()
        yield
        await store.close()

    http = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    # The load balancer asks the container itself, so these stand outside the path that clients see.
    http.include_router(health(readiness))
    http.include_router(routes(users, realtime, settings), prefix=settings.root_path)
    return socketio.ASGIApp(realtime.server, http, socketio_path=f"{settings.root_path}/socket.io")


class Readiness:
    """
    503 until the backplane was reached for the first time, and never again because of it: ECS replaces a task that
    fails its check, and a failover of Redis would replace them all.
    """

    def __init__(self, realtime: Realtime, store: Store) -> None:
        self._realtime = realtime
        self._store = store
        self._joined = False

    async def state(self) -> str:
        reachable = await self._reachable()
        self._joined = self._joined or reachable
        if reachable:
            return "ready"
        return "degraded" if self._joined else "starting"

    async def _reachable(self) -> bool:
        try:
            async with asyncio.timeout(2):
                return await self._store.reachable() and self._realtime.subscribed
        except (RedisError, RedisClusterException, OSError, TimeoutError):
            return False


def health(readiness: Readiness) -> APIRouter:
    router = APIRouter(prefix="/health")

    @router.get("/live")
    async def live() -> dict:
        return {"status": "live"}

    @router.get("/ready")
    async def ready(response: Response) -> dict:
        state = await readiness.state()
        response.status_code = 503 if state == "starting" else 200
        return {"status": state}

    return router


def routes(users: Users, realtime: Realtime, settings: Settings) -> APIRouter:
    router = APIRouter()
    calls = Calls(settings.live_kit) if settings.live_kit else None
    bearer = HTTPBearer(auto_error=False)

    def user(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> str:
        subject = users.subject_of(credentials.credentials if credentials else None)
        if subject is None:
            raise HTTPException(401, "give a valid token as Bearer")
        return subject

    def live_kit() -> Calls:
        if calls is None:
            raise HTTPException(404, "there are no calls: LIVEKIT_URL is not set")
        return calls

    User = Annotated[str, Depends(user)]
    LiveKitCalls = Annotated[Calls, Depends(live_kit)]

    @router.post("/rooms/{room}/messages", status_code=202)
    async def publish(room: Room, message: Message, subject: User) -> dict:
        await realtime.emit(room, subject, message.text)
        return {"ok": True}

    @router.post("/calls/{room}/token")
    async def token(room: Room, subject: User, live_kit_calls: LiveKitCalls) -> dict:
        return live_kit_calls.token(room, subject)

    @router.get("/calls/{room}/participants")
    async def participants(room: Room, _: User, live_kit_calls: LiveKitCalls) -> dict:
        return {"participants": await live_kit_calls.participants(room)}

    return router
