#!/usr/bin/env python3
"""registry.py PORT FOLDER - a registry of images to pull: NAME.tar in FOLDER, as docker save wrote it, is NAME:latest."""

import hashlib
import http.server
import json
import os
import re
import sys
import tarfile

CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
BLOBS = {}


def keep(data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    BLOBS[digest] = data
    return {"size": len(data), "digest": digest}


def manifest(path):
    """What docker save wrote as a manifest, whose blobs are kept."""
    with tarfile.open(path) as tar:
        # Beside the image that has the name now there may be those that had it before.
        saved = next(i for i in json.load(tar.extractfile("manifest.json")) if i["RepoTags"])
        made = {"schemaVersion": 2, "mediaType": MANIFEST,
                "config": {"mediaType": CONFIG, **keep(tar.extractfile(saved["Config"]).read())},
                "layers": [{"mediaType": LAYER, **keep(tar.extractfile(layer).read())} for layer in saved["Layers"]]}
    data = json.dumps(made).encode()
    keep(data)
    return data


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, data=b"", kind="application/octet-stream"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Docker-Content-Digest", "sha256:" + hashlib.sha256(data).hexdigest())
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_GET(self):
        asked = re.fullmatch(r"/v2/([a-z]+)/(manifests|blobs)/([a-z0-9:]+)", self.path)
        if self.path == "/v2/":
            return self.answer(200)
        if asked and asked[2] == "manifests" and asked[3] == "latest":
            path = os.path.join(sys.argv[2], asked[1] + ".tar")
            return self.answer(200, manifest(path), MANIFEST) if os.path.exists(path) else self.answer(404)
        if asked and asked[3] in BLOBS:
            return self.answer(200, BLOBS[asked[3]], MANIFEST if asked[2] == "manifests" else "application/octet-stream")
        return self.answer(404)

    do_HEAD = do_GET


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
