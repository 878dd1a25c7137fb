"""Tokens for LiveKit's rooms, and who is in them."""

from datetime import timedelta

from livekit import api

from .settings import LiveKit

token_age = timedelta(minutes=10)
"""A token is part of the URL of a join, and so of the load balancer's log."""


class Calls:
    def __init__(self, live_kit: LiveKit) -> None:
        self._live_kit = live_kit

    def token(self, room: str, subject: str) -> dict[str, str]:
        grants = api.VideoGrants(room_join=True, room=room)
        token = api.AccessToken(self._live_kit.api_key, self._live_kit.api_secret)
        signed = token.with_identity(subject).with_grants(grants).with_ttl(token_age).to_jwt()
        return {"url": self._live_kit.url, "token": signed}

    async def participants(self, room: str) -> list[str]:
        live_kit = self._live_kit
        async with api.LiveKitAPI(live_kit.api_url, live_kit.api_key, live_kit.api_secret) as client:
            try:
                found = await client.room.list_participants(api.ListParticipantsRequest(room=room))
            except api.TwirpError as error:
                if error.code == api.TwirpErrorCode.NOT_FOUND:
                    return []
                raise
            return [participant.identity for participant in found.participants]
