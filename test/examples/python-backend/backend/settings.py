"""The environment, read once. What can't be used ends the process, all of it in one message."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class LiveKit:
    url: str
    """Where clients connect, `wss://…`."""
    api_url: str
    """Where this backend finds LiveKit's API, `http://…` inside the VPC."""
    api_key: str
    api_secret: str


@dataclass(frozen=True)
class Settings:
    redis_url: str | None
    """Without it, this process serves alone."""
    channel: str
    """The Pub/Sub channel that connects the instances."""
    key_prefix: str
    """Prefix of every key: the Redis user may touch no others."""
    auth_secrets: tuple[str, ...]
    """Keys of users' tokens (HS256, HS384 or HS512). There are two while one replaces the other."""
    root_path: str
    """Path before all others, where the load balancer gives this backend a path and not a host name."""
    origins: tuple[str, ...]
    port: int
    idle_timeout: int
    """Seconds after which the load balancer closes an idle connection."""
    drain_seconds: int
    live_kit: LiveKit | None


def read_settings(environment=os.environ) -> Settings:
    faults: list[str] = []

    def number(name: str, default: int) -> int:
        text = environment.get(name) or str(default)
        if not text.isdecimal():
            faults.append(f"`{name}` must be a whole number, got: {text!r}; remove it for {default}")
            return default
        return int(text)

    def words(name: str) -> tuple[str, ...]:
        return tuple(word.strip() for word in environment.get(name, "").split(",") if word.strip())

    auth_secrets = words("AUTH_SECRET")
    if not auth_secrets or any(len(secret) < 32 for secret in auth_secrets):
        faults.append("`AUTH_SECRET` must have 32 characters or more; `openssl rand -hex 32` makes one")
    root_path = environment.get("ROOT_PATH", "").rstrip("/")
    if root_path and not root_path.startswith("/"):
        faults.append(f"`ROOT_PATH` must start with a slash, got: {root_path!r}")
    names = ("LIVEKIT_URL", "LIVEKIT_API_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET")
    missing = [name for name in names if not environment.get(name)]
    if missing and len(missing) < len(names):
        faults.append(
            f"for calls, `{'`, `'.join(missing)}` must be set too; or set none of {', '.join(names)}"
        )
    settings = Settings(
        redis_url=environment.get("REDIS_URL") or None,
        channel=environment.get("SOCKETIO_CHANNEL") or "socketio",
        key_prefix=environment.get("KEY_PREFIX") or "backend:",
        auth_secrets=auth_secrets,
        root_path=root_path,
        origins=words("CORS_ORIGINS"),
        port=number("PORT", 8000),
        idle_timeout=number("IDLE_TIMEOUT_SECONDS", 120),
        drain_seconds=number("DRAIN_SECONDS", 10),
        live_kit=None if missing else LiveKit(*(environment[name] for name in names)),
    )
    if faults:
        raise SystemExit("The environment can't be used:\n" + "\n".join(f"- {fault}" for fault in faults))
    return settings
