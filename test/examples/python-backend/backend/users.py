"""Who a token is of. The tokens are those of the realtime service: one login serves both."""

import jwt

from .settings import Settings

longest_token = 8_192
algorithms = ["HS256", "HS384", "HS512"]


class Users:
    def __init__(self, settings: Settings) -> None:
        self._secrets = settings.auth_secrets

    def subject_of(self, token: object) -> str | None:
        """The user, or None if the token is missing, forged or expired."""
        if not isinstance(token, str) or len(token) > longest_token:
            return None
        for secret in self._secrets:
            try:
                # The service takes any audience, unless it is told one.
                claims = jwt.decode(
                    token,
                    secret,
                    algorithms=algorithms,
                    options={"require": ["sub", "exp"], "verify_aud": False},
                )
            except jwt.InvalidTokenError:
                continue
            return claims["sub"]
        return None
