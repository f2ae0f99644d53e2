"""Print, as JSON, the names below the engines' and the proxies' folder of the registry.

Arguments: the registry's address. Run by the playbook, on the control machine.
"""

import json
import sys

from kazoo.client import KazooClient

FOLDERS = ("/osp/services/sayhello/engines", "/osp/proxies")

client = KazooClient(hosts=f"{sys.argv[1]}:2181", timeout=10)
client.start(timeout=10)
sys.stdout.write(json.dumps({folder: sorted(client.get_children(folder)) for folder in FOLDERS}))
client.stop()
