"""python3 -m backend"""

import uvicorn

from .app import create_app
from .settings import read_settings


def main() -> None:
    settings = read_settings()
    uvicorn.run(
        create_app(settings),
        host="0.0.0.0",
        port=settings.port,
        # Only the load balancer reaches the port, and it sets these headers itself.
        proxy_headers=True,
        forwarded_allow_ips="*",
        # Uvicorn's 5 s would close connections that the load balancer is about to use: clients would get 502.
        timeout_keep_alive=settings.idle_timeout + 10,
        timeout_graceful_shutdown=settings.drain_seconds,
        ws_max_size=100_000,
        access_log=False,
    )


if __name__ == "__main__":
    main()
