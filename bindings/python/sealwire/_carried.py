"""What messages carry beside their bodies: metadata and the like."""

from typing import Iterable, List, Mapping, Optional, Tuple, Union

Metadata = Union[Mapping[str, str], Iterable[Tuple[str, str]]]
Extras = Optional[Tuple[List[Tuple[str, str]], Optional[bytes], Optional[bytes]]]


def trace_bytes(trace: Union[str, bytes, None]) -> Optional[bytes]:
    """The 25 bytes of a W3C traceparent, e.g. 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01."""
    if trace is None or isinstance(trace, bytes):
        return trace
    version, trace_id, parent, flags = (trace.split("-") + [""] * 4)[:4]
    if version != "00" or (len(trace_id), len(parent), len(flags)) != (32, 16, 2):
        raise ValueError("a trace context is written 00-<32 digits>-<16 digits>-<2 digits>")
    return bytes.fromhex(trace_id + parent + flags)


def extras(metadata: Optional[Metadata], trace: Union[str, bytes, None], key: Optional[bytes] = None) -> Extras:
    if not metadata and trace is None and key is None:
        return None
    pairs = list(metadata.items() if isinstance(metadata, Mapping) else metadata or ())
    return pairs, trace_bytes(trace), key
