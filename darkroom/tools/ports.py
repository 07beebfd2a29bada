"""The local port on which a page is served."""

import socket

from darkroom.base.errors import UserError

HOST = "127.0.0.1"


def check(port: int) -> None:
    """Raise UserError if the port is not free; callers check it before any slow work."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise UserError(
                f"--port {port} cannot be listened on ({getattr(error, 'strerror', None) or error}): name another one, "
                "as in --port 7861"
            ) from None
