"""The server as `hoiso serve` runs it."""

from socket import socket

import uvicorn
from fastapi import FastAPI

from app import logs
from app.api.http.server import serving


class UvicornServer(uvicorn.Server):
    """Prints a line when it listens, for scripts that wait for it, and stops without waiting for
    those who wait for the change log."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self.app = app

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            logs.info("listening", url=f"http://{self.config.host}:{self.config.port}")

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """uvicorn waits until its connections have ended: those of followers would not for long."""
        serving(self.app).waiting.stop()
        await super().shutdown(sockets)
