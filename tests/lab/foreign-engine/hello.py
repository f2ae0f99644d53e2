"""An engine of somebody else's: registers in a layout of its own, knows no drain and no health."""

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from kazoo.client import KazooClient

EXPORT = f"{os.environ['EXPORT_IP']}:{os.environ['EXPORT_PROT']}"
FOLDER = "/hello/providers"
LOG = os.open("/usr/local/hello-engine/logs/access.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)


class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        if url.path != "/sayhello":
            self.send_error(404)
            return
        given = parse_qs(url.query)
        time.sleep(int(given.get("delay_ms", ["0"])[0]) / 1000)
        told = {"message": f"Hello, {given['name'][0]}!", "engine": EXPORT}
        body = json.dumps(told).encode()
        os.write(LOG, f"{self.command} {self.path} 200\n".encode())
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *args: object) -> None:
        return


class Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True


server = Server(("0.0.0.0", 1080), Hello)
registry = KazooClient(os.environ["VIP_CFGCENTER_ZK_CONNECTION"], timeout=6)
registry.start()
registry.create(f"{FOLDER}/{EXPORT.replace(':', '_')}", b"", ephemeral=True, makepath=True)
server.serve_forever()
