"""The protocol between a job and its process that probes videos."""

import struct

# Two numbers: for a file, its size and the seconds allowed; for a read, the offset and length; for data, 0 and its
# length.
HEADER = struct.Struct("<qq")
# Byte before a header from the process: it requests a part of the file, or sends its answer of the given length.
READ, ANSWER = b"R", b"A"
