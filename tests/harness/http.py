"""HTTP with the standard library: any status is an answer, not an exception."""
import json
import urllib.error
import urllib.parse
import urllib.request

# Loopback must not go through a proxy of the machine.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def expect(self, *statuses):
        assert self.status in statuses, f'status {self.status}, expected {statuses}: {self.body[:400]!r}'
        return self

    def json(self):
        return json.loads(self.body)


def get(url, parameters=None, headers=None, timeout=30):
    if parameters:
        url += '?' + urllib.parse.urlencode(parameters)
    return send(urllib.request.Request(url, headers=headers or {}), timeout)


def post(url, body, content_type='application/json', headers=None, timeout=30):
    """`body` is bytes, or what becomes JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return send(urllib.request.Request(url, data, {'Content-Type': content_type, **(headers or {})}), timeout)


def send(request, timeout):
    """Raises OSError when there is no answer."""
    try:
        with OPENER.open(request, timeout=timeout) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())
    except urllib.error.URLError as error:
        raise OSError(str(error.reason)) from error
