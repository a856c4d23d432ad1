"""What libtiff says of damaged files, which it prints and Pillow does not pass on."""

from __future__ import annotations

import atexit
import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image

_BYTES = 300  # Longer messages are cut.
_MESSAGES = 3  # What follows them comes of the same fault, mostly.

# The last argument is a va_list. As an argument it is a pointer, or of a pointer's size, in the
# calling conventions of all platforms that Python has wheels for.
_Handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)

_thread = threading.local()  # Its `messages` are there in a block only.
_lock = threading.Lock()
_handler: Any = None  # libtiff has its address: it must live as long as the process.


@contextmanager
def libtiff_errors() -> Iterator[list[str]]:
    """Collects what libtiff would print on standard error of what this thread reads.

    Other threads, and images that are read outside such blocks, are not concerned: their messages
    go where they went before. Where libtiff cannot be reached, which holds for Pillow's wheels for
    Windows, nothing is collected, and libtiff prints as ever.

    Yields:
        the messages so far, three at most.
    """
    _install()
    before = getattr(_thread, "messages", None)
    messages: list[str] = []
    _thread.messages = messages
    try:
        yield messages
    finally:
        _thread.messages = before


def _install() -> None:
    """Has Pillow's libtiff call this module, once in a process."""
    global _handler
    with _lock:
        if _handler is not None:
            return
        try:
            # Symbols are also looked for in the libraries that Pillow's module is linked with.
            libtiff = ctypes.CDLL(Image.core.__file__)
            set_handler = libtiff.TIFFSetErrorHandler
            print_into = ctypes.CDLL(None).vsnprintf
        except (AttributeError, OSError, TypeError):
            _handler = False
            return
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        print_into.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p]
        previous: list[Any] = []
        _handler = _Handler(_listener(print_into, previous))
        address = set_handler(ctypes.cast(_handler, ctypes.c_void_p))
        if address:
            previous.append(_Handler(address))
        # What is freed after Python has ended must not call it any more.
        atexit.register(set_handler, address)


def _listener(print_into: Any, previous: list[Any]) -> Any:
    """What libtiff calls with its module's name, a format and the format's arguments.

    Args:
        print_into: C's vsnprintf.
        previous: what libtiff called before, if that was anything.
    """

    def listen(module: bytes | None, form: bytes, arguments: int | None) -> None:
        messages = getattr(_thread, "messages", None)
        if messages is None:
            for handler in previous:
                handler(module, form, arguments)
            return
        if len(messages) == _MESSAGES:
            return
        buffer = ctypes.create_string_buffer(_BYTES)
        print_into(buffer, _BYTES, form, arguments)
        parts = [part.decode(errors="replace") for part in (module, buffer.value) if part]
        message = ": ".join(parts)
        if message not in messages:
            messages.append(message)

    return listen
