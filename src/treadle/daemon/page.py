"""The status page of `treadle dev`: what runs, what waits and why, how the code locations are. It changes nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from urllib.parse import urlsplit

from treadle.errors import InvocationError
from treadle.host.instance import Instance
from treadle.state.runs import RunRecord, RunsFilter, RunStatus
from treadle.store.locations import LocationRecord

PORT = 3000
"""Where the page is unless a port is given: if it is taken, some other port serves as well."""
_LATEST = 50
_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>Treadle</title>
<style>
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 2rem; max-width: 70rem; color: #1c2330 }}
table {{ border-collapse: collapse; width: 100% }}
caption {{ text-align: left; font-size: 1.2rem; padding: 1rem 0 .3rem }}
th, td {{ text-align: left; vertical-align: top; padding: .25rem 1rem .25rem 0; border-bottom: 1px solid #dde2ea }}
pre {{ margin: 0; white-space: pre-wrap }}
</style></head><body><h1>Treadle</h1><p>{home}</p>
{tables}
</body></html>
"""


class StatusPage:
    """A server of the page, in a thread of its own.

    Args:
        instance: what it shows.
        host: the address it listens at.
        port: 0 for any that is free; None for the usual one, or another if that is taken.
        held: why runs wait, by run id.

    Raises:
        InvocationError: the port is taken, or there is no such address.
    """

    def __init__(self, instance: Instance, host: str, port: int | None, held: Callable[[], Mapping[str, str]]) -> None:
        def show() -> str:
            return _page(instance, held())

        try:
            self._server = _server(host, PORT if port is None else port, show)
        except OSError as error:
            if port is not None:
                raise InvocationError(
                    f"The status page cannot be served at {host}:{port}: {error.strerror or error}. Choose another "
                    "port with -p, or 0 for any that is free."
                ) from None
            self._server = _server(host, 0, show)
        self._address = (host, self._server.server_port)
        self.url = f"http://{host}:{self._server.server_port}"
        self._is_closing = False
        self._thread = threading.Thread(target=self._serve, name="status page", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Serve no more."""
        self._is_closing = True
        with suppress(OSError):
            socket.create_connection(self._address, 1.0).close()  # wakes the thread
        self._thread.join(1.0)
        self._server.server_close()

    def _serve(self) -> None:
        while not self._is_closing:
            self._server.handle_request()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """As the class above, without asking the name server for this machine's name."""
        TCPServer.server_bind(self)
        self.server_port = self.server_address[1]


def _server(host: str, port: int, show: Callable[[], str]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            name = urlsplit(f"//{self.headers.get('Host', '')}").hostname
            if host in _LOCAL and name not in _LOCAL:  # a page of another site that has itself resolved to this machine
                self.send_error(403)
            elif self.path != "/":
                self.send_error(404)
            else:
                body = show().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the terminal is for other things."""

    return _Server((host, port), Handler)


_LOCAL = ("127.0.0.1", "localhost", "::1")


def _page(instance: Instance, held: Mapping[str, str]) -> str:
    runs = instance.store.runs
    waiting = runs.records(RunsFilter(statuses=[RunStatus.QUEUED]), ascending=True)
    tables = [
        _table("Code locations", ("name", "state", "loaded in", ""), map(_location, instance.store.locations.all())),
        _table("Queue", ("run", "job", "why it waits"), (_waits(one, held) for one in waiting)),
        _table("Runs", ("run", "job", "status", "changed"), map(_run, runs.records(limit=_LATEST))),
    ]
    return _TEMPLATE.format(home=escape(str(instance.home)), tables="\n".join(tables))


def _table(title: str, heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "\n".join("<tr>" + "".join(f"<td><pre>{escape(one)}</pre></td>" for one in row) + "</tr>" for row in rows)
    return f"<table><caption>{escape(title)}</caption>\n<tr>{head}</tr>\n{body}</table>"


def _location(record: LocationRecord) -> tuple[str, ...]:
    why = record.error.to_string() if record.error is not None else record.warning or ""
    return record.name, record.state, f"{record.load_s:.2f} s" if record.load_s is not None else "", why


def _waits(record: RunRecord, held: Mapping[str, str]) -> tuple[str, ...]:
    return record.run.run_id, record.run.job_name, held.get(record.run.run_id, "")


def _run(record: RunRecord) -> tuple[str, ...]:
    changed = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.update_timestamp.timestamp()))
    return record.run.run_id, record.run.job_name, record.run.status.value, changed
