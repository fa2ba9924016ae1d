"""Large OTLP protobuf requests, made quickly: one is encoded, then only its ids and times are changed."""
import os
import struct


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, value):
    """Length-delimited."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def fixed64(number, value):
    return varint(number << 3 | 1) + struct.pack('<Q', value)


def attribute(key, text):
    return field(1, key.encode()) + field(2, field(1, text.encode()))


class TraceRequest:
    """ExportTraceServiceRequest (opentelemetry-proto, trace/v1) of many spans in traces of ten."""

    # What the ids are until a request is made: found by their bytes, so they must be found nowhere else.
    TRACE, SPAN = b'\xfe' * 16, b'\xfd' * 8

    def __init__(self, spans, service, start):
        self.spans = spans
        encoded = b''.join(field(2, self._span(i, start + i * 1000)) for i in range(spans))
        resource = field(1, field(1, attribute('service.name', service)) + field(1, attribute('host.name', 'node-17')))
        self.template = field(1, resource + field(2, field(1, field(1, b'tests')) + encoded))
        self.traces = self._places(self.TRACE)
        self.ids = self._places(self.SPAN)
        assert len(self.traces) == len(self.ids) == spans

    def _span(self, i, start):
        attributes = {'http.request.method': 'GET', 'http.route': f'/api/v1/items/{i % 40}', 'http.response.status_code': '200',
                      'user.id': f'user-{i * 7919 % 5000}', 'net.peer.name': f'10.0.{i % 7}.{i % 251}', 'thread.name': f'worker-{i % 16}'}
        return (field(1, self.TRACE) + field(2, self.SPAN) + field(5, f'GET /api/v1/items/{i % 40}'.encode()) + varint(6 << 3) + varint(2) +
                fixed64(7, start) + fixed64(8, start + 1000 + i * 7919 % 10**8) +
                b''.join(field(9, attribute(*pair)) for pair in attributes.items()))

    def _places(self, mark):
        places, at = [], self.template.find(mark)
        while at >= 0:
            places.append(at)
            at = self.template.find(mark, at + len(mark))
        return places

    def new(self):
        """(body, trace ids) of a request that was never made before."""
        body, random = bytearray(self.template), os.urandom(24 * self.spans)
        traces = []
        for i, (trace, span) in enumerate(zip(self.traces, self.ids)):
            if i % 10 == 0:
                of_ten = random[i * 24:i * 24 + 16]
                traces.append(of_ten.hex())
            body[trace:trace + 16] = of_ten
            body[span:span + 8] = random[i * 24 + 16:i * 24 + 24]
        return bytes(body), traces
