"""A real nginx on loopback, everything of it below a directory of its own."""
import os
import shutil
import socket
import subprocess
import tempfile
import time

CONFIGURATION = """
daemon off;
master_process off;
worker_processes 1;
pid {0}/pid;
error_log {0}/error.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {0}/body;
  proxy_temp_path {0}/proxy;
  fastcgi_temp_path {0}/fastcgi;
  uwsgi_temp_path {0}/uwsgi;
  scgi_temp_path {0}/scgi;
  # The limits that the manager has.
  client_header_timeout 15s;
  client_body_timeout 30s;
  keepalive_timeout 120s;
  large_client_header_buffers 4 16k;
  client_max_body_size 1m;
  server {{
    listen 127.0.0.1:{1} ssl;
    server_name localhost;
    ssl_certificate {2};
    ssl_certificate_key {3};
    location / {{ return 200 "ok"; }}
    location /post {{ return 201 "ok"; }}
  }}
}}
"""


class Nginx:
    def __init__(self, program, port, certificate, key):
        self.directory = tempfile.mkdtemp(prefix="muster-nginx-")
        self.port = port
        path = os.path.join(self.directory, "nginx.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(self.directory, port, certificate, key))
        self.process = subprocess.Popen([program, "-p", self.directory, "-c", path], stderr=subprocess.PIPE)

    def wait(self):
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return
            except ConnectionRefusedError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("nginx did not start: " + self.process.stderr.read().decode()) from None
                time.sleep(0.05)

    def remove(self):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.directory)
