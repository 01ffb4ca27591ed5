"""Unpack: a packed body as it was before, with an eye on its end: nothing missing, nothing after it."""

import zlib

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_BARE = -zlib.MAX_WBITS
"""What many servers call deflate as well: no head, no checksum."""
_METHOD, _CHECK = 8, 31
"""What marks the two bytes of a zlib head (RFC 1950)."""


class Unpacker:
    """Unpacks one body piece by piece, gzip of any number of members, or deflate; zlib.error where it is neither.

    Any other `packing` is left as it is: it was not asked for, and some servers name a charset here.
    """

    def __init__(self, packing: str) -> None:
        self._gzip = packing in {"gzip", "x-gzip"}
        self._packed = self._gzip or packing == "deflate"
        self._start = b""  # held back until it tells which deflate it is
        self._stream: zlib._Decompress | None = None

    def feed(self, piece: bytes, most: int) -> bytes:
        """What a piece holds, but never many more bytes than `most`: what more there is would be too large."""
        if not self._packed:
            return piece
        if self._stream is None:
            piece = self._start = self._start + piece
            if len(piece) < 2:  # noqa: PLR2004 - the bytes of a zlib head
                return b""
            self._stream = zlib.decompressobj(self._form(piece))
        out = bytearray()
        while piece and len(out) <= most:
            if self._stream.eof:
                piece = piece.lstrip(b"\0") if self._gzip else piece  # what gzip files are padded with
                if not piece:
                    break
                if not self._gzip:
                    raise zlib.error("more comes after its end")
                self._stream = zlib.decompressobj(_GZIP)
            out += self._stream.decompress(piece, most + 1 - len(out))
            piece = self._stream.unconsumed_tail or self._stream.unused_data
        return bytes(out)

    def end(self) -> None:
        """No more comes: zlib.error if the packed body is cut. A body of no bytes at all is packed nothing."""
        if self._start and (self._stream is None or not self._stream.eof):
            raise zlib.error("it is cut")

    def _form(self, start: bytes) -> int:
        if self._gzip:
            return _GZIP
        zlibs = start[0] & 0x0F == _METHOD and int.from_bytes(start[:2], "big") % _CHECK == 0
        return _ZLIB if zlibs else _BARE
