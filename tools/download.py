"""Downloads a file, going on where an earlier try stopped."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path

from tfrnnc.errors import DataError

TRIES, PAUSE = 4, 2.0  #: tries of a download, and seconds before the second; each pause is longer
TIMEOUT = 60.0  #: seconds without a byte
CHUNK = 1 << 20
UNFINISHED = ".unfinished"  #: ends the name of a file that is not whole


def download(url: str, path: Path) -> None:
    """Downloads a file; what an earlier try left of it is kept and completed.

    Args:
        url: http or https.
        path: of the file; it is there only when it is whole. Its folder is made.

    Raises:
        DataError: if it cannot be had, after a few tries where trying again can help.
    """
    if not url.startswith(("http://", "https://")):
        raise DataError(f"{url}: not an address of http or https")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + UNFINISHED)
    for attempt in range(1, TRIES + 1):
        try:
            _fetch(url, unfinished)
            break
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                raise DataError(f"{url}: {error.code} {error.reason}") from error
            reason = f"{error.code} {error.reason}"
        except urllib.error.URLError as error:
            reason = str(error.reason)
        except (http.client.HTTPException, ConnectionError, TimeoutError, _CutError) as error:
            reason = str(error) or type(error).__name__
        if attempt == TRIES:
            raise DataError(f"{url}: cannot be had ({reason}); see that you are online")
        time.sleep(PAUSE * attempt)
    unfinished.replace(path)


class _CutError(Exception):
    """The server sent less than it had promised."""


def _fetch(url: str, path: Path) -> None:
    have = path.stat().st_size if path.is_file() else 0
    headers = {"User-Agent": "tfrnnc-get-data"} | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if not (have and error.code == 416):
            raise
        # The rest is empty, or what is there is of another file: it is fetched anew.
        path.unlink()
        return _fetch(url, path)
    with response:
        goes_on = response.status == 206
        promised = response.headers.get("Content-Length")
        before = have if goes_on else 0
        with path.open("ab" if goes_on else "wb") as file:
            while chunk := response.read(CHUNK):
                file.write(chunk)
    got = path.stat().st_size - before
    if promised is not None and got < int(promised):
        raise _CutError(f"{got:,} of {int(promised):,} bytes came")
    return None
