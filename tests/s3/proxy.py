"""A proxy before a bucket that fails in the ways that object stores do. Requests pass as they are, so that
their signatures hold."""
import http.client
import os
import random
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What can be switched on, with the requests that it meets.
MODES = {
    'ok': (),
    'slow_down': ('GET', 'PUT', 'POST', 'DELETE', 'HEAD'),  # 503 SlowDown
    'reset_put': ('PUT', 'POST'),                            # the connection breaks in the middle of the body
    'lose_reply': ('PUT', 'POST', 'DELETE'),                 # done, and the connection breaks before the answer
    'reset_get': ('GET',),                                   # the connection breaks in the middle of the answer
    'garbage': ('GET',),                                     # other bytes than were stored, of the same length
    'hang': ('GET', 'PUT', 'POST', 'DELETE', 'HEAD'),        # taken, and never answered
}
HANG_S = 120
SLOW_DOWN = b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'


class Proxy:
    """Listens on a port of its own; `set` switches a mode on for a share of the requests."""

    def __init__(self, upstream, seed=0):
        self.upstream, self.chance = upstream, random.Random(seed)
        self.mode, self.share, self.delay = 'ok', 1.0, 0.0
        # Bytes that are changed in what comes from the bucket, whatever the mode.
        self.swap = {}
        self.lock, self.changed, self.open = threading.Lock(), threading.Event(), set()
        self.port, self.server = 0, None
        self.reset_counts()
        self.up()

    @property
    def url(self):
        return f'http://127.0.0.1:{self.port}'

    def set(self, mode, share=1.0):
        assert mode in MODES
        self.mode, self.share = mode, share
        self.changed.set()
        self.changed = threading.Event()

    def reset_counts(self):
        self.requests, self.bytes, self.faults = {}, {}, 0

    def counts(self):
        """GETs of objects, and bytes that they gave."""
        return self.requests.get('GET', 0), self.bytes.get('GET', 0)

    def down(self):
        """Nobody listens, and what is open breaks."""
        self.server.shutdown()
        self.server.server_close()
        with self.lock:
            connections, self.open = self.open, set()
        for connection in connections:
            reset(connection)

    def up(self):
        self.server = Server(('127.0.0.1', self.port), Handler)
        self.server.proxy, self.port = self, self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()

    def count(self, method, size):
        with self.lock:
            self.requests[method] = self.requests.get(method, 0) + 1
            self.bytes[method] = self.bytes.get(method, 0) + size

    def fault(self, method):
        """The mode that meets this request, if one does."""
        with self.lock:
            met = method in MODES[self.mode] and self.chance.random() < self.share
            self.faults += met
            return self.mode if met else None


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, *_):
        """Broken connections are what this is for."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    # Else headers and body go in two packets, 40 ms apart.
    wbufsize = -1

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.there = None
        with self.server.proxy.lock:
            self.server.proxy.open.add(self.connection)

    def finish(self):
        with self.server.proxy.lock:
            self.server.proxy.open.discard(self.connection)
        if self.there:
            self.there.close()
        super().finish()

    def log_message(self, *_):
        pass

    def any(self):
        proxy = self.server.proxy
        fault, size = proxy.fault(self.command), int(self.headers.get('Content-Length') or 0)
        if proxy.delay:
            time.sleep(proxy.delay)
        if fault == 'hang':
            proxy.changed.wait(HANG_S)
            return self.break_off()
        if fault == 'reset_put':
            self.rfile.read(size // 2)
            return self.break_off()
        body = self.rfile.read(size)
        if fault == 'slow_down':
            return self.reply(503, [('Content-Type', 'application/xml')], SLOW_DOWN)
        answer, data = self.forward(body)
        proxy.count(self.command if self.is_object() else f'{self.command} list', len(data))
        if fault == 'lose_reply':
            return self.break_off()
        if fault == 'garbage' and answer.status in (200, 206) and self.is_object():
            data = os.urandom(len(data))
        if self.is_object():
            for old, new in proxy.swap.items():
                data = data.replace(old, new)
        headers = [(name, value) for name, value in answer.getheaders()
                   if name.lower() not in ('transfer-encoding', 'connection', 'content-length', 'keep-alive')]
        length = answer.getheader('Content-Length', '0') if self.command == 'HEAD' else str(len(data))
        if fault == 'reset_get' and data:
            self.head(answer.status, headers, length)
            self.wfile.write(data[:len(data) // 2])
            self.wfile.flush()
            return self.break_off()
        return self.reply(answer.status, headers, data, length)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = any

    def is_object(self):
        """Not a list: damaged XML is another kind of fault."""
        return '?' not in self.path

    def forward(self, body):
        for attempt in range(2):
            fresh = self.there is None
            if fresh:
                self.there = http.client.HTTPConnection(*self.server.proxy.upstream, timeout=30)
            try:
                self.there.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in ('connection', 'keep-alive', 'expect'):
                        self.there.putheader(name, value)
                self.there.endheaders(body or None)
                answer = self.there.getresponse()
                return answer, answer.read()
            except (OSError, http.client.HTTPException):
                self.there.close()
                self.there = None
                if fresh or attempt:
                    raise
        raise AssertionError('not reached')

    def head(self, status, headers, length):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header('Content-Length', length)
        self.end_headers()

    def reply(self, status, headers, data, length=None):
        self.head(status, headers, length or str(len(data)))
        if self.command != 'HEAD':
            self.wfile.write(data)
        self.wfile.flush()

    def break_off(self):
        self.close_connection = True
        reset(self.connection)


def reset(connection):
    """Ends a connection at once, with RST."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        connection.shutdown(socket.SHUT_RD)
        connection.close()
    except OSError:
        pass
