"""Real receivers of events: rsyslogd, an SMTP server, an HTTPS server, each on ports of its own."""
import http.server
import os
import ssl
import subprocess
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

RSYSLOG = """
global(workDirectory="{directory}" defaultNetstreamDriverCAFile="{directory}/ca.pem"
       defaultNetstreamDriverCertFile="{directory}/server.pem" defaultNetstreamDriverKeyFile="{directory}/server.key"
       maxMessageSize="64k")
module(load="imudp")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
module(load="imptcp")
template(name="parsed" type="string"
         string="%inputname% %pri% %hostname% %app-name% %msgid%|%msg%\\n")
input(type="imudp" address="127.0.0.1" port="{udp}")
input(type="imptcp" address="127.0.0.1" port="{tcp}")
input(type="imtcp" address="127.0.0.1" port="{tls}")
action(type="omfile" file="{directory}/messages" template="parsed")
"""


def make_certificates(directory):
    """An authority, and a certificate of it for localhost."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=directory, stderr=subprocess.DEVNULL)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=authority of a test")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj",
            "/CN=localhost")
    with open(os.path.join(directory, "extensions"), "w", encoding="ascii") as extensions:
        extensions.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out",
            "server.pem", "-days", "2", "-extfile", "extensions")


class Rsyslog:
    def __init__(self, directory, udp, tcp, tls):
        self.directory = directory
        self.configuration = os.path.join(directory, "rsyslog.conf")
        self.messages = os.path.join(directory, "messages")
        with open(self.configuration, "w", encoding="ascii") as configuration:
            configuration.write(RSYSLOG.format(directory=directory, udp=udp, tcp=tcp, tls=tls))
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            ["/usr/sbin/rsyslogd", "-n", "-f", self.configuration, "-i", os.path.join(self.directory, "pid")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
        self.process = None

    def lines(self):
        if not os.path.exists(self.messages):
            return []
        with open(self.messages, encoding="utf-8", errors="replace") as messages:
            return messages.read().splitlines()


class Mailbox:
    """An SMTP server; `encrypted` offers STARTTLS and wants a password."""

    def __init__(self, port, directory, encrypted):
        self.mails = []
        self.recipients = []
        self.encrypted = encrypted
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(os.path.join(directory, "server.pem"), os.path.join(directory, "server.key"))
        options = {"hostname": "127.0.0.1", "port": port}
        if encrypted:
            options.update(tls_context=context, require_starttls=True, auth_required=True,
                           authenticator=self.authenticate)
        self.controller = Controller(self, **options)

    def authenticate(self, server, session, envelope, mechanism, data):
        return AuthResult(success=data.login == b"muster" and data.password == b"mail secret", handled=False)

    async def handle_DATA(self, server: SMTP, session, envelope):
        self.mails.append(envelope.content.decode())
        self.recipients.append(envelope.rcpt_tos)
        return "250 taken"


class Hook:
    """An HTTPS server that keeps what is posted; `statuses` are answered first, in their order."""

    def __init__(self, port, directory, statuses):
        self.posts = []
        self.statuses = list(statuses)
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = hook.statuses.pop(0) if hook.statuses else 200
                if status == 200:
                    hook.posts.append((dict(self.headers), body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(os.path.join(directory, "server.pem"), os.path.join(directory, "server.key"))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
