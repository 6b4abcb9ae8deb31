"""A page on this machine that shows a run or a sweep while it goes on.

It is served on 127.0.0.1 and on no other interface, under an address that holds a token which is drawn anew each time;
any other path, another method, and a request that names another host are answered with "not found".  The page loads
nothing from elsewhere and sends nothing; what files hold goes in as text and numbers.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ...base.html import page
from ...base.plain_text import one_line
from ...errors import WgfpdeError
from .state import State

HOST = "127.0.0.1"
SECONDS = 1.0
"""Between two looks at the files, however many pages are open."""


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a browser that goes away while it is answered is no fault, and the terminal is not ours."""


class LocalPage:
    """The server, in a thread of its own; a context manager.   address : what to open."""

    def __init__(self, look: Callable[[], State], port: int = 0) -> None:
        token = secrets.token_urlsafe(24)
        self._server = _QuietServer((HOST, port), _handler(look, token))
        self._server.daemon_threads = True
        self.address = f"http://{HOST}:{self._server.server_address[1]}/{token}/"
        self._thread = threading.Thread(target=self._server.serve_forever, name="wgfpde-page", daemon=True)

    def __enter__(self) -> LocalPage:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(look: Callable[[], State], token: str) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()
    latest: dict[str, Any] = {"at": -1.0, "body": b"{}"}

    def now() -> bytes:
        """What is known, at most as old as SECONDS."""
        import time

        with lock:
            if time.monotonic() - latest["at"] > SECONDS:
                latest["body"], latest["at"] = record(look).encode(), time.monotonic()
            return bytes(latest["body"])

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "wgfpde", ""
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if not self._ours():
                self._send(404, b"not found\n", "text/plain; charset=utf-8")
            elif self.path.endswith("/now.json"):
                self._send(200, now(), "application/json")
            else:
                self._send(200, whole_page().encode(), "text/html; charset=utf-8")

        def _ours(self) -> bool:
            """The token in the path, and this machine as the host: a page elsewhere cannot ask under another name."""
            parts = self.path.split("/")
            host = (self.headers.get("Host") or "").rpartition(":")[0]
            known = hmac.compare_digest(parts[1].encode() if len(parts) > 1 else b"", token.encode())
            return known and parts[2:] in ([""], ["now.json"]) and host in (HOST, "localhost")

        def _send(self, code: int, body: bytes, kind: str) -> None:
            self.send_response(code)
            headers = {
                "Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
                "Content-Security-Policy":
                    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
                    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            }  # fmt: skip
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the terminal belongs to whoever watches."""

    return Handler


def record(look: Callable[[], State]) -> str:
    """A look as JSON; numbers that are none are null."""
    try:
        found = asdict(look()) | {"error": ""}
    except WgfpdeError as error:
        found = {"error": one_line(error), "status": "running"}
    return json.dumps(_finite(found), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


@cache
def whole_page() -> str:
    """The page; it asks for now.json each second until nothing more happens."""
    here = Path(__file__).parent
    body, script = ((here / name).read_text(encoding="utf-8") for name in ("page.html", "page.js"))
    return page("wgfpde watch", body, script)
