"""Web servers on loopback addresses, all at the same port, each of which answers as it is told."""

import socket
import socketserver
import ssl
import threading
from contextlib import ExitStack, suppress

from certward.names import CHALLENGE_PATH

THUMBPRINT = "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ"


class Web:
    """The servers; `hits` are (address, host, path) of the requests that came, `connections` the addresses."""

    def __init__(self, port, certificate=None):
        self.port = port
        self.hits = []
        self.connections = []
        self._certificate = certificate
        self._stack = ExitStack()

    def serve(self, address, answer):
        """Serve at an address. `answer(connection, host, path)` gives the bytes, or writes them itself."""
        kind = _Server6 if ":" in address else _Server
        server = self._stack.enter_context(kind((address, self.port), _Handler))
        server.web, server.answer, server.tls = self, answer, None
        if self._certificate:
            server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.tls.load_cert_chain(self._certificate)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(server.shutdown)

    def serve_nobody(self, address):
        """Listen at an address, but let no connection come about: its queue is full."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = self._stack.enter_context(socket.socket(family))
        listener.bind((address, self.port))
        listener.listen(0)
        for _ in range(4):
            waiting = self._stack.enter_context(socket.socket(family))
            waiting.setblocking(False)
            waiting.connect_ex((address, self.port))

    def close(self):
        self._stack.close()


def reply(status=200, body=b"", **headers):
    """An answer that never changes."""
    head = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", "Connection: close"]
    head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    data = "\r\n".join([*head, "", ""]).encode() + body
    return lambda _connection, _host, _path: data


def redirect(location, **headers):
    return reply(302, Location=location, **headers)


def right(connection, host, path):
    """The answer of somebody who holds the account key."""
    token = path.removeprefix(CHALLENGE_PATH)
    return reply(200, f"{token}.{THUMBPRINT}\n".encode())(connection, host, path)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = False
    request_queue_size = 32


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(socketserver.BaseRequestHandler):
    def handle(self):
        web = self.server.web
        web.connections.append(self.server.server_address[0])
        connection = self.request
        connection.settimeout(5)
        with ExitStack() as stack, suppress(OSError):
            if self.server.tls:
                connection = stack.enter_context(self.server.tls.wrap_socket(connection, server_side=True))
            head = b""
            while b"\r\n\r\n" not in head and (data := connection.recv(65536)):
                head += data
            if not head:
                return  # somebody has only knocked
            lines = head.decode("latin-1").split("\r\n")
            path = lines[0].split(" ")[1]
            host = next(line.partition(":")[2].strip() for line in lines if line.lower().startswith("host:"))
            web.hits.append((self.server.server_address[0], host, path))
            data = self.server.answer(connection, host, path)
            if data:
                connection.sendall(data)
