"""Mail when runs fail, sent to a mail server of this test."""

import socketserver
import ssl
import threading
from email import message_from_bytes, policy
from pathlib import Path

import pytest

import dagster as dg

CERTIFICATE = str(Path(__file__).with_name("localhost.pem"))
"""Of 127.0.0.1, with its key, for this test alone."""


class Conversation(socketserver.BaseRequestHandler):
    """One client's by RFC 5321, with STARTTLS (RFC 3207) and AUTH PLAIN (RFC 4954)."""

    def encrypt(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        self.request = context.wrap_socket(self.request, server_side=True)

    def finish(self):
        self.request.close()

    def lines(self):
        """Lines as they come; encryption may begin between two."""
        left = b""
        while True:
            while b"\r\n" not in left:
                got = self.request.recv(4096)
                if not got:
                    return
                left += got
            line, left = left.split(b"\r\n", 1)
            yield line

    def say(self, text):
        self.request.sendall(f"{text}\r\n".encode())

    def handle(self):
        if self.server.kind == "SSL":
            self.encrypt()
        self.say("220 hello")
        lines = self.lines()
        for line in lines:
            command = line.decode()
            self.server.heard.append(command)
            match command.upper().split(" ")[0]:
                case "EHLO":
                    self.say("250-hello\r\n250-STARTTLS\r\n250 AUTH PLAIN")
                case "STARTTLS":
                    self.say("220 go on")
                    self.encrypt()
                case "AUTH":
                    self.say("235 welcome")
                case "DATA":
                    self.say("354 go on")
                    text = b"\r\n".join(iter(lambda: next(lines), b"."))
                    self.server.mails.append(message_from_bytes(text, policy=policy.default))
                    self.say("250 done")
                case "QUIT":
                    self.say("221 bye")
                    return
                case _:
                    self.say("250 fine")


class MailServer(socketserver.ThreadingTCPServer):
    """Keeps the mails and what was said before them."""

    def __init__(self, kind):
        super().__init__(("127.0.0.1", 0), Conversation)
        self.kind, self.heard, self.mails = kind, [], []


@pytest.fixture(params=["SSL", "STARTTLS"])
def server(request, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", CERTIFICATE)
    with MailServer(request.param) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@dg.op
def bad():
    raise ValueError("broken")


@dg.job
def failing():
    bad()


@dg.job
def other():
    bad()


def alarm(server, **given):
    return dg.make_email_on_run_failure_sensor(
        email_from="from@x.org", email_password="secret", email_to=["a@x.org", "b@x.org"], smtp_host="127.0.0.1",
        smtp_port=server.server_address[1], smtp_type=server.kind, **given,
    )  # fmt: skip


def failures(sensor, instance, *jobs):
    """The jobs fail, and the sensor is evaluated."""
    definitions = dg.Definitions(jobs=[failing, other])

    def tick(cursor=None):
        return sensor.evaluate_tick(
            dg.build_sensor_context(instance, cursor, sensor_name=sensor.name, definitions=definitions)
        )

    cursor = tick().cursor
    runs = [job.execute_in_process(instance=instance, raise_on_error=False) for job in jobs]
    tick(cursor)
    return [run.run_id for run in runs]


@pytest.mark.api("make_email_on_run_failure_sensor.email_from", "make_email_on_run_failure_sensor.email_password",
                 "make_email_on_run_failure_sensor.email_to", "make_email_on_run_failure_sensor.smtp_host",
                 "make_email_on_run_failure_sensor.smtp_type",
                 "make_email_on_run_failure_sensor.smtp_port")  # fmt: skip
def test_a_mail_for_each_run_that_failed(server, instance):
    sensor = alarm(server)
    assert sensor.name == "email_on_run_failure"
    runs = failures(sensor, instance, failing, other)
    assert [(mail["From"], mail["To"].replace(" ", "")) for mail in server.mails] == [
        ("from@x.org", "a@x.org,b@x.org")
    ] * 2  # fmt: skip
    assert [run in mail.as_string() for run, mail in zip(runs, server.mails, strict=True)] == [True, True]
    assert ["failing" in mail["Subject"] for mail in server.mails] == [True, False]
    assert {mail.get_content_type() for mail in server.mails} == {"text/html"}
    assert "AUTH PLAIN AGZyb21AeC5vcmcAc2VjcmV0" in server.heard  # from@x.org and secret, each after a zero byte
    assert ("STARTTLS" in server.heard) == (server.kind == "STARTTLS")


@pytest.mark.api("make_email_on_run_failure_sensor.email_body_fn",
                 "make_email_on_run_failure_sensor.email_subject_fn", "make_email_on_run_failure_sensor.smtp_user",
                 "make_email_on_run_failure_sensor.webserver_base_url", "make_email_on_run_failure_sensor.name",
                 "make_email_on_run_failure_sensor.monitored_jobs",
                 "make_email_on_run_failure_sensor.default_status")  # fmt: skip
def test_what_the_mail_says(server, instance):
    sensor = alarm(
        server, email_body_fn=lambda context: f"It was {context.dagster_run.job_name}: größer.",
        email_subject_fn=lambda context: "Oh no", smtp_user="me", webserver_base_url="http://ui:3000", name="mailer",
        monitored_jobs=[failing], default_status=dg.DefaultSensorStatus.RUNNING,
    )  # fmt: skip
    assert (sensor.name, sensor.default_status) == ("mailer", dg.DefaultSensorStatus.RUNNING)
    run, _ = failures(sensor, instance, failing, other)
    (mail,) = server.mails
    assert mail["Subject"] == "Oh no"
    assert "It was failing: größer." in mail.get_content()
    assert f'<a href="http://ui:3000/runs/{run}">' in mail.get_content()
    assert "AUTH PLAIN AG1lAHNlY3JldA==" in server.heard


@pytest.mark.api("make_email_on_run_failure_sensor.job_selection",
                 "make_email_on_run_failure_sensor.monitor_all_code_locations",
                 "make_email_on_run_failure_sensor.monitor_all_repositories")  # fmt: skip
def test_which_jobs_mails_are_about(server, instance):
    failures(alarm(server, monitor_all_code_locations=True), instance, failing)
    with pytest.warns(DeprecationWarning, match="monitor"):
        everywhere = alarm(server, monitor_all_repositories=True)
    failures(everywhere, instance, other)
    with pytest.warns(DeprecationWarning, match="monitor"):
        selected = alarm(server, job_selection=[failing])
    failures(selected, instance, failing, other)
    assert ["failing" in mail["Subject"] for mail in server.mails] == [True, False, True]
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="monitor"):
        alarm(server, monitored_jobs=[failing], monitor_all_code_locations=True)
    with (
        pytest.warns(DeprecationWarning, match="all"),
        pytest.raises(dg.DagsterInvalidDefinitionError, match="monitor"),
    ):
        alarm(server, monitored_jobs=[failing], monitor_all_repositories=True)


def test_an_unknown_kind_of_connection_is_an_error():
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="PLAIN"):
        dg.make_email_on_run_failure_sensor("a@x.org", "secret", ["b@x.org"], smtp_type="PLAIN")
