"""Mail when runs fail."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

from treadle.author.run_sensors import RunFailureSensorContext, RunStatusSensorDefinition, run_failure_sensor
from treadle.author.sensors import DefaultSensorStatus
from treadle.errors import DefinitionError

_PORTS = {"SSL": 465, "STARTTLS": 587}
_TIMEOUT_S = 30


def _subject(context: RunFailureSensorContext) -> str:
    return f"Run of {context.run.job_name} failed"


def _body(context: RunFailureSensorContext) -> str:
    reason = html.escape(getattr(context.failure_event, "message", None) or "")
    return f"Run {context.run.run_id} of job {html.escape(context.run.job_name)} failed.<br>{reason}"


def make_email_on_run_failure_sensor(
    email_from: str,
    email_password: str,
    email_to: Sequence[str],
    email_body_fn: Callable[[RunFailureSensorContext], str] = _body,
    email_subject_fn: Callable[[RunFailureSensorContext], str] = _subject,
    smtp_host: str = "smtp.gmail.com",
    smtp_type: str = "SSL",
    smtp_port: int | None = None,
    smtp_user: str | None = None,
    name: str | None = None,
    webserver_base_url: str | None = None,
    monitored_jobs: Sequence[Any] | None = None,
    monitor_all_code_locations: bool = False,
    default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
) -> RunStatusSensorDefinition:
    """A sensor that sends a mail for each run that failed.

    Args:
        email_from, email_to: the sender and the recipients.
        email_password, smtp_user: what it logs in with; `email_from` is the user by default.
        email_body_fn, email_subject_fn: give the body, as HTML, and the subject.
        smtp_type: "SSL", or "STARTTLS" for a connection that becomes encrypted. Certificates are verified.
        smtp_port: 465 with SSL and 587 with STARTTLS by default.
        name: its name, `email_on_run_failure` by default.
        webserver_base_url: where the web server is; the mail then has a link to the run.

    Other arguments as for `run_failure_sensor`.

    Raises:
        DefinitionError: there is no such `smtp_type`.
    """
    if smtp_type not in _PORTS:
        raise DefinitionError(f"smtp_type is {smtp_type!r}. Use one of {', '.join(map(repr, _PORTS))}.")
    port = smtp_port or _PORTS[smtp_type]

    @run_failure_sensor(
        name=name or "email_on_run_failure", monitored_jobs=monitored_jobs,
        monitor_all_code_locations=monitor_all_code_locations, default_status=default_status,
    )  # fmt: skip
    def mail(context: RunFailureSensorContext) -> None:
        text = email_body_fn(context)
        if webserver_base_url:
            link = html.escape(f"{webserver_base_url.rstrip('/')}/runs/{context.run.run_id}")
            text += f'<p><a href="{link}">See the run</a></p>'
        _send(
            email_from, email_to, email_subject_fn(context), text, smtp_host, port, smtp_type, smtp_user, email_password
        )

    return mail


def _send(
    sender: str, to: Sequence[str], subject: str, text: str, host: str, port: int, kind: str, user: str | None,
    password: str,
) -> None:  # fmt: skip
    # these cost more than all of a definition, and are needed only when a run failed
    import smtplib  # noqa: PLC0415
    import ssl  # noqa: PLC0415
    from email.message import EmailMessage  # noqa: PLC0415

    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, ", ".join(to), subject
    message.set_content(text, subtype="html")
    secure = ssl.create_default_context()
    if kind == "SSL":
        server = smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT_S, context=secure)
    else:
        server = smtplib.SMTP(host, port, timeout=_TIMEOUT_S)
    with server:
        if kind == "STARTTLS":
            server.starttls(context=secure)
        server.login(user or sender, password)
        server.send_message(message)
