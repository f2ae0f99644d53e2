"""Print, as JSON, the names below two folders of the registry, and what its server says it is.

The folders are the engines' and the proxies'. Arguments: the registry's address. Run by the
playbook, on the control machine.
"""

import json
import sys

from kazoo.client import KazooClient

FOLDERS = ("/osp/services/sayhello/engines", "/osp/proxies")

client = KazooClient(hosts=f"{sys.argv[1]}:2181", timeout=10)
client.start(timeout=10)
told = {folder: sorted(client.get_children(folder)) for folder in FOLDERS}
mode = [line for line in client.command(b"srvr").splitlines() if line.startswith("Mode:")]
sys.stdout.write(json.dumps({**told, "mode": mode}))
client.stop()
