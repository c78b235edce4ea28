"""The part of HTTP/2 (RFC 9113) that a badly behaved client needs: frames written by hand, on a plain socket."""

import socket
import struct

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_HEADERS = 4

# A server sends it when it has read the client's settings (RFC 9113, 6.5.3), which `begin_call` sends with the call.
SETTINGS_READ = b"\0\0\0\x04\x01\0\0\0\0"
PREDICT = "/tensorflow.serving.PredictionService/Predict"


def connect(target: str) -> socket.socket:
    host, _, port = target.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=60)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _header(name: str, value: str) -> bytes:
    # RFC 7541, 6.2.2: a literal field, not indexed, not Huffman coded; both lengths are below 127.
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def call_bytes(authority: str, path: str, message_bytes: int, sent: bytes = b"") -> bytes:
    """All that a client sends to begin a call whose one message is announced with a length, with some of the message.

    gRPC over HTTP/2 puts before a message whether it is compressed, and its length as 32 bits.
    """
    headers = (
        _header(":method", "POST")
        + _header(":scheme", "http")
        + _header(":path", path)
        + _header(":authority", authority)
        + _header("te", "trailers")
        + _header("content-type", "application/grpc")
    )
    return (
        _PREFACE
        + _frame(_SETTINGS, 0, 0, b"")
        + _frame(_HEADERS, _END_HEADERS, 1, headers)
        + _frame(_DATA, 0, 1, b"\0" + struct.pack(">I", message_bytes) + sent)
    )


def begin_call(target: str, path: str, message_bytes: int, sent: bytes = b"") -> socket.socket:
    """Begin a call, and do not go on."""
    connection = connect(target)
    connection.sendall(call_bytes(target, path, message_bytes, sent))
    return connection


def read_until(connection: socket.socket, wanted: bytes) -> bytes:
    """Everything received up to these bytes and a little more; or everything until the server closed the connection."""
    received = b""
    while wanted not in received and (more := connection.recv(65536)):
        received += more
    return received
