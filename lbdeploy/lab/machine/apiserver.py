"""Stand-ins for kube-apiserver: one process for each server of the lab, in the server's network namespace.

Run as a script, by itself: it imports nothing of lbdeploy. Standard input holds JSON: {"certificate": PATH, "servers":
[{"name", "namespace": PATH, "directory": PATH, "address", "ports": [int]}]}. It returns when all of them listen; each
one's part of that, and its process ID, are then in the files `spec` and `pid` of the server's directory.

    /readyz   200 "ok", or 500 while the file `notready` lies in the server's directory; 401 to whoever does not
              show the token that the file `token` there holds
    /livez    200 "ok"
    /version  JSON that tells which server answered, and whom
    /watch    (and ?watch=true on any path) a JSON line each 100 ms until the client leaves
    /stream   the same each 50 ms
    /api...   the objects of the lab's cluster (api_objects.py), lists and single ones; with ?watch=true, one of a list
              is told as modified each second, as nodes are by their kubelets

Its certificate is server.pem in the server's directory, or else that of all servers; a client must show one that the
authority in client-ca.pem there has signed, where that file is. These files count from the next connection on.

A connection may begin with a PROXY header of version 2 (haproxy's doc/proxy-protocol.txt, section 2.2), as an ingress
controller takes it: /version then reports the client that the header names.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from itertools import count, cycle
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

_CLONE_NEWNET = 0x40000000
_PROXIED = b"\r\n\r\n\0\r\nQUIT\n"
_HANDSHAKE = 0x16  # the first byte of a TLS connection
_NOT_TLS = (
    b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    b"Client sent an HTTP request to an HTTPS server.\n"
)


def main() -> None:
    """Starts every server that standard input names. Raises OSError where one can't listen."""
    spec = json.load(sys.stdin)
    for server in spec["servers"]:
        start({**server, "certificate": spec["certificate"]})
        with open(os.path.join(server["directory"], "spec"), "w") as file:
            json.dump(server, file)


def start(server: dict[str, Any]) -> None:
    """Starts one server: its sockets are made here, so that a failure is reported; a child process serves them."""
    enter(server["namespace"])
    listeners = [ApiListener(server, port) for port in server["ports"]]
    pid = os.fork()
    if pid == 0:
        serve(listeners)
    with open(os.path.join(server["directory"], "pid"), "w") as file:
        file.write(f"{pid}\n")
    for listener in listeners:
        listener.server_close()


def enter(namespace: str) -> None:
    """Puts this process into a network namespace. Raises OSError."""
    with open(namespace) as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), namespace)


def serve(listeners: list[ApiListener]) -> None:
    """Serves for ever, without a terminal, standard streams, or the lab's lock."""
    os.setsid()
    os.chdir("/")
    own = {listener.fileno() for listener in listeners}
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor not in own:
            with contextlib.suppress(OSError):  # the descriptor that listdir itself had open
                os.close(descriptor)
    for _ in (0, 1, 2):
        os.open(os.devnull, os.O_RDWR)
    for listener in listeners[1:]:
        threading.Thread(target=listener.serve_forever, args=(60,), daemon=True).start()
    listeners[0].serve_forever(60)


def proxied(connection: socket.socket) -> tuple[str, int] | None:
    """The client that a PROXY header names, and None without one. The header is consumed from the connection."""
    if connection.recv(1, socket.MSG_PEEK) != _PROXIED[:1]:
        return None
    head = connection.recv(16, socket.MSG_WAITALL)
    if head[:12] != _PROXIED:
        raise ConnectionError("neither TLS nor a PROXY header")
    body = connection.recv(int.from_bytes(head[14:16], "big"), socket.MSG_WAITALL)
    lengths = {0x11: (socket.AF_INET, 4), 0x21: (socket.AF_INET6, 16)}  # TCP over IPv4, over IPv6
    if head[12] != 0x21 or head[13] not in lengths:  # version 2, the command PROXY
        return None
    family, length = lengths[head[13]]
    return socket.inet_ntop(family, body[:length]), int.from_bytes(body[2 * length : 2 * length + 2], "big")


def find(file: str, path: str) -> dict[str, Any] | None:
    """The object at a path, or the one of that name in the list above it; None where there is none."""
    try:
        with open(file) as text:
            objects = json.load(text)
    except FileNotFoundError:
        return None
    above, _, name = path.rpartition("/")
    found = objects.get(path) or next(
        (each for each in objects.get(above, {}).get("items", ()) if each["metadata"]["name"] == name), None
    )
    return present(found) if found else None


def present(value: Any) -> Any:
    """A value without the parts of lists whose `while` names a file that is gone."""
    if isinstance(value, dict):
        return {key: present(each) for key, each in value.items() if key != "while"}
    if isinstance(value, list):
        here = (each for each in value if not isinstance(each, dict) or os.path.exists(each.get("while", "/")))
        return [present(each) for each in here]
    return value


class ApiListener(ThreadingMixIn, TCPServer):
    """A port of a server; each connection has a thread, where its TLS handshake happens."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, server: dict[str, Any], port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in server["address"] else socket.AF_INET
        self.name: str = server["name"]
        self.objects: str = server["objects"]
        self.not_ready, self.token, self.own, self.client_ca = (
            os.path.join(server["directory"], name) for name in ("notready", "token", "server.pem", "client-ca.pem")
        )
        self.certificate: str = server["certificate"]
        self.contexts: dict[tuple[float, float], ssl.SSLContext] = {}
        self.context()
        super().__init__((server["address"], port), Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Answers what is not TLS as Go's server does."""
        request.settimeout(10)
        client_address = proxied(request) or client_address
        first = request.recv(1, socket.MSG_PEEK)
        if first and first[0] != _HANDSHAKE:
            request.recv(65536)  # what is unread has the connection reset, maybe before the answer is read
            request.sendall(_NOT_TLS)
            request.shutdown(socket.SHUT_WR)
        elif first:
            with self.context().wrap_socket(request, server_side=True) as connection:
                connection.settimeout(None)
                Handler(connection, client_address, self)

    def context(self) -> ssl.SSLContext:
        """How connections are greeted at present, by the files in the server's directory."""
        present = (changed(self.own), changed(self.client_ca))
        if present not in self.contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.own if present[0] else self.certificate)
            context.set_alpn_protocols(["http/1.1"])
            if present[1]:
                context.load_verify_locations(self.client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
            self.contexts = {present: context}
        return self.contexts[present]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores clients that disconnect early, as TCP checks do."""


def changed(path: str) -> float:
    """When a file changed (s, Unix); 0 where there is none."""
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return 0


class Handler(BaseHTTPRequestHandler):
    """The requests of one connection. HTTP/1.1, so it stays open for more requests."""

    protocol_version = "HTTP/1.1"
    server_version = "lbdeploy-lab"
    disable_nagle_algorithm = True
    server: ApiListener

    def do_GET(self) -> None:
        """Answers a GET request by its path."""
        path, _, query = self.path.partition("?")
        watches = "watch=true" in query.split("&") or "watch=1" in query.split("&")
        found = find(self.server.objects, path) if path.startswith("/api") else None
        if found and watches and found.get("items"):
            self.tell_changes(found["items"])
        elif path == "/watch" or watches:
            self.watch(0.1)
        elif found:
            self.answer_json(200, found)
        elif path == "/stream":
            self.watch(0.05)
        elif path == "/readyz" and os.path.exists(self.server.not_ready):
            self.answer(500, "[-]shutdown failed: reason withheld\nreadyz check failed\n")
        elif path == "/readyz" and self.is_stranger():
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Unauthorized", "code": 401}
            self.answer(401, json.dumps(status) + "\n", "application/json")
        elif path in ("/readyz", "/livez", "/healthz"):
            self.answer(200, "ok")
        elif path == "/version":
            version = {"major": "1", "minor": "30", "gitVersion": "v1.30.0-lab", "server": self.server.name}
            self.answer(200, json.dumps({**version, "client": self.client_address[0]}) + "\n", "application/json")
        else:
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            self.answer_json(404, status)

    def answer_json(self, code: int, value: dict[str, Any]) -> None:
        """Sends an object as a complete answer."""
        self.answer(code, json.dumps(value) + "\n", "application/json")

    def is_stranger(self) -> bool:
        """Whether this server demands a token, and the request does not show it."""
        try:
            with open(self.server.token) as file:
                return self.headers["Authorization"] != f"Bearer {file.read().strip()}"
        except FileNotFoundError:
            return False

    def answer(self, code: int, body: str, kind: str = "text/plain; charset=utf-8") -> None:
        """Sends a complete answer."""
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def watch(self, pause: float) -> None:
        """An answer that does not end, with a pause (s) after each line."""
        self.send_lines(({"type": "BOOKMARK", "number": n, "server": self.server.name} for n in count()), pause)

    def tell_changes(self, objects: list[dict[str, Any]]) -> None:
        """The same as kubectl takes it: each object in turn, as if it had been modified."""
        self.send_lines(({"type": "MODIFIED", "object": each} for each in cycle(objects)), 1.0)

    def send_lines(self, events: Iterable[dict[str, Any]], pause: float) -> None:
        """An answer in chunks of a line."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            line = json.dumps(event) + "\n"
            self.wfile.write(f"{len(line):x}\r\n{line}\r\n".encode())
            time.sleep(pause)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Logs nothing."""


if __name__ == "__main__":
    main()
