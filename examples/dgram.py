# dgram.js in Python: the standard library is enough to be a plain peer. Needs Python >= 3.10.
#
#   python3 examples/dgram.py [NAME [ADDRESS]]

import json
import signal
import socket
import sys
import time

PORT, GROUP = 9778, "224.0.0.1"
name = sys.argv[1] if len(sys.argv) > 1 else "python"
address = socket.inet_aton(sys.argv[2] if len(sys.argv) > 2 else "0.0.0.0")
signal.signal(signal.SIGINT, signal.SIG_DFL)

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if sys.platform == "darwin":  # which shares a port by this one
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
udp.bind(("", PORT))
udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + address)
udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, address)

due = time.monotonic()
while True:
    udp.settimeout(max(due - time.monotonic(), 0.001))
    try:
        message, sender = udp.recvfrom(65507)
        print(json.loads(message)["username"], sender[0], flush=True)
    except TimeoutError:
        udp.sendto(json.dumps({"username": name}).encode(), (GROUP, PORT))
        due += 2
    except Exception:
        pass  # anybody can send anything
