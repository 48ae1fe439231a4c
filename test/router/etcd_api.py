"""What is in etcd, by its JSON gateway."""

import base64
import json
import urllib.request

from world import KEY, LIMIT


def etcd_call(w, path, body):
    """etcd's JSON gateway, as root."""
    def call(path, body, headers=None):
        r = urllib.request.Request(w.etcd.url + path, json.dumps(body).encode(), headers or {})
        with urllib.request.urlopen(r, timeout=LIMIT) as f:
            return json.load(f)

    token = call("/v3/auth/authenticate", {"name": "root", "password": KEY})["token"]
    return call(path, body, {"Authorization": token})


def b64(text):
    return base64.b64encode(text.encode()).decode()
