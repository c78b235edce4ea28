"""Translate messages of the library and the other parts: into options and subcommands, and how to install extras."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shlex
import urllib.parse
import urllib.request

# The library's words, and the command's. A test checks that the library still uses the first.
WORDS = {
    "client.status() lists the versions": "`hubserve status` lists the versions",
    "(client.wait_until_ready)": "(hubserve status --wait SECONDS)",
    "what client.metadata() says the model takes": "the inputs of the model (hubserve inspect shows them)",
    "make max_batch_bytes or max_batch_size smaller": "make --batch-size smaller",
    "make max_batch_size smaller": "make --batch-size smaller",
    "lower max_batch_size, or give predict fewer rows": "lower --batch-size",
    "give token= or tls=": "give --token-file, or --tls-cert and --tls-key",
    "compare tls= with the server's certificate": "compare --tls-ca and --tls-server-name with the server's "
    "certificate",
    "give tls= (with certificate and key, where it asks for them)": "give --tls (with --tls-cert and --tls-key, where "
    "it asks for them)",
    "this client's tls= cannot be used": "the files of --tls-ca, --tls-cert and --tls-key cannot be used",
    "give tls=TLS(), or allow_plaintext_token=True": "give --tls, or --allow-plaintext-token",
    "tls= encrypts the connection": "--tls encrypts the connection",
    "target must be": "--server must be",
    "convert=True needs": "--convert needs",
}
_INSTALL = re.compile(r"""pip install (['"])hubserve\[(?P<extra>[\w,]+)\]\1""")


def in_words(text: str) -> str:
    """Return a message with the command's own options, and with the command that installs an extra here."""
    for said, instead in WORDS.items():
        text = text.replace(said, instead)
    return _INSTALL.sub(lambda found: to_install(found["extra"]), text)


def to_install(extra: str) -> str:
    """Return the command that installs an extra of this hubserve.

    hubserve may come from a checkout, a wheel or an index; the installer recorded which one (PEP 610).

    Args:
        extra: The extra, or several with commas between them.
    """
    requirement = f"hubserve[{extra}]"
    try:
        recorded = importlib.metadata.distribution("hubserve").read_text("direct_url.json")
        origin = json.loads(recorded) if recorded else {}
        url = str(origin["url"])
    except (importlib.metadata.PackageNotFoundError, ValueError, KeyError, TypeError):
        return f"pip install {shlex.quote(requirement)}"
    if "vcs_info" in origin:
        url = f"{origin['vcs_info'].get('vcs', 'git')}+{url}@{origin['vcs_info'].get('commit_id', 'HEAD')}"
    if "dir_info" not in origin:
        return f"pip install {shlex.quote(f'{requirement} @ {url}')}"
    folder = urllib.request.url2pathname(urllib.parse.urlsplit(url).path)
    editable = "--editable " if origin["dir_info"].get("editable") else ""
    return f"pip install {editable}{shlex.quote(f'{folder}[{extra}]')}"
