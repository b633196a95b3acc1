"""The status page of `treadle dev`: what runs, what waits and why, how the code locations are. It changes nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from urllib.parse import urlsplit

from treadle.core import tags as tag_names
from treadle.daemon.news import took_s, why_failed
from treadle.errors import InvocationError
from treadle.host.instance import Instance
from treadle.state.events import format_duration
from treadle.state.runs import FINISHED, IN_PROGRESS, RunRecord, RunsFilter, RunStatus
from treadle.store.locations import LocationRecord

PORT = 3000
"""Where the page is unless a port is given: if it is taken, some other port serves as well."""
_SHOWN = 50
_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="5"><title>Treadle</title>
<style>
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 2rem; max-width: 75rem; color: #1c2330 }}
h2 {{ font-weight: normal; font-size: 1.2rem; margin: 1.5rem 0 .3rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; vertical-align: top; padding: .25rem 1rem .25rem 0; border-bottom: 1px solid #dde2ea }}
td {{ white-space: pre-wrap; overflow-wrap: anywhere; min-width: 3rem }}
p {{ overflow-wrap: anywhere }}
th, td:is([data-of=status], [data-of=changed], [data-of=took], [data-of=age]) {{ white-space: nowrap }}
code {{ font: 13px ui-monospace, monospace; white-space: nowrap }}
.good {{ color: #16703a }} .bad {{ color: #b3261e; font-weight: 600 }}
.busy {{ color: #1a56b0 }} .so {{ color: #8a5a00 }}
@media (max-width: 45rem) {{
body {{ margin: 1rem }}
table, tbody, tr, td {{ display: block }}
tr:has(th) {{ display: none }}
tr {{ border-bottom: 1px solid #dde2ea; padding: .4rem 0 }}
td {{ border: 0; padding: 0 0 0 6rem; min-height: 1.5em }}
td:empty {{ display: none }}
td::before {{ content: attr(data-of); float: left; margin-left: -6rem; color: #5c6675 }}
}}
</style></head><body><h1>Treadle</h1><p>{home}</p>
{tables}
</body></html>
"""
_COLOURS = {
    "SUCCESS": "good", "ready": "good", "FAILURE": "bad", "failed": "bad", "gone": "bad", "CANCELED": "so",
    "CANCELING": "so", "STARTING": "busy", "STARTED": "busy", "loading": "busy",
}  # fmt: skip
_WAITING = RunsFilter(statuses=[RunStatus.QUEUED])
_UNDER_WAY = RunsFilter(statuses=list(IN_PROGRESS))
_ENDED = RunsFilter(statuses=list(FINISHED))


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
        reasons: dict[str, str] = {}  # why runs failed that were shown last, by id

        def show() -> str:
            return _page(instance, held(), reasons)

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


def _page(instance: Instance, held: Mapping[str, str], reasons: dict[str, str]) -> str:
    runs = instance.store.runs
    waiting = sorted(runs.records(_WAITING, ascending=True), key=lambda one: -tag_names.priority(one.run.tags))
    active = runs.records(_UNDER_WAY, limit=_SHOWN)
    latest = active + runs.records(_ENDED, limit=_SHOWN - len(active))
    number = runs.count(_UNDER_WAY) + runs.count(_ENDED)
    failed = [one.run.run_id for one in latest if one.run.is_failure]
    known = {run_id: reasons.get(run_id) or why_failed(instance, run_id) for run_id in failed}
    reasons.clear()
    reasons.update(known)
    locations = instance.store.locations.all()
    tables = (
        _table(
            "Code locations", ("name", "state", "loaded in", "why"), map(_location, locations),
            len(locations), "There are no code locations.",
        ),
        _table(
            "Queue", ("run", "job", "location", "age", "priority", "why it waits"),
            (_waits(one, held) for one in waiting[:_SHOWN]), len(waiting), "Nothing waits.",
        ),
        _table(
            "Runs", ("run", "job", "status", "changed", "took", "why"),
            (_run(one, known) for one in latest), number, "Nothing has run yet.",
        ),
    )  # fmt: skip
    return _TEMPLATE.format(home=escape(str(instance.home)), tables="\n".join(tables))


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], number: int, without: str) -> str:
    """A table of some rows. `number`: how many there are in all; `without`: what to say if there are none."""
    body = [_row(heads, row) for row in rows]
    if not body:
        return f"<h2>{title}</h2>\n<p>{without}</p>"
    shown = f": {len(body)} of {number:,}" if number > len(body) else ""
    head = "".join(f"<th>{one}</th>" for one in heads)
    return f"<h2>{title}{shown}</h2>\n<table><tr>{head}</tr>\n" + "\n".join(body) + "</table>"


def _row(heads: Sequence[str], row: Sequence[str]) -> str:
    cells: list[str] = []
    for head, cell in zip(heads, row, strict=True):
        text = escape(cell)
        if head == "run":
            text = f'<code title="{text}">{escape(cell[:8])}</code>'
        elif head in ("state", "status"):
            text = f'<span class="{_COLOURS.get(cell, "")}">{text}</span>'
        cells.append(f'<td data-of="{head}">{text}</td>')
    return f"<tr>{''.join(cells)}</tr>"


def _location(record: LocationRecord) -> tuple[str, ...]:
    why = record.warning or ""
    if record.error is not None:
        serves = "The last good code still serves: new runs have it."
        why = f"{serves if record.owner is not None else 'Its runs wait.'}\n{record.error.to_string().rstrip()}"
    return record.name, record.state, f"{record.load_s:.2f} s" if record.load_s is not None else "", why


def _waits(record: RunRecord, held: Mapping[str, str]) -> tuple[str, ...]:
    run = record.run
    why = held.get(run.run_id, "It is next.")
    return run.run_id, run.job_name, run.location_name or "", _age(record), str(tag_names.priority(run.tags) or ""), why


def _age(record: RunRecord) -> str:
    minutes = int(time.time() - record.create_timestamp.timestamp()) // 60
    if minutes < 1:
        return "under 1 min"
    hours = minutes // 60
    return f"{minutes} min" if hours < 1 else f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} days"


def _run(record: RunRecord, reasons: Mapping[str, str]) -> tuple[str, ...]:
    changed = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.update_timestamp.timestamp()))
    seconds, run = took_s(record), record.run
    took = format_duration(1000 * seconds) if seconds is not None else ""
    return run.run_id, run.job_name, run.status.value, changed, took, reasons.get(run.run_id, "")
