"""The proxies' configurations in configs/elicit agree with the server that they are in front of."""

import re

from hml.command_line.configs import STUDIES, shipped_folder
from hml.elicit.command import Serve
from hml.elicit.serving import PORT
from hml.elicit.web.app import MAX_BODY

NGINX, CADDY = ((shipped_folder() / STUDIES / name).read_text(encoding="utf-8") for name in ("nginx.conf", "Caddyfile"))
SERVED_AT = f"{Serve().host}:{PORT}"


def test_proxies_pass_on_the_host_of_base_url_to_the_servers_port():
    assert re.findall(r"--base_url https://(\S+)", NGINX + CADDY) == ["study.example.org"] * 2
    assert f"proxy_pass http://{SERVED_AT};" in NGINX
    assert "proxy_set_header Host $http_host;" in NGINX  # Caddy passes it on by itself
    assert set(re.findall("server_name (.*);", NGINX)) == {"study.example.org"}
    assert f"\nstudy.example.org {{\n\treverse_proxy {SERVED_AT} {{\n" in CADDY


def test_nginx_takes_every_body_that_the_server_takes():
    assert re.findall("client_max_body_size (.*)k;", NGINX) == [str(MAX_BODY // 1024)]


def test_proxies_log_no_addresses_query_strings_or_referrers():
    (logged,) = re.findall("log_format study '(.*)';", NGINX)
    assert set(re.findall(r"\$\w+", logged)) == {"$time_iso8601", "$status", "$request_method", "$uri", "$request_time"}
    for server in NGINX.split("\nserver {")[1:]:
        assert "error_log /dev/null;" in server
        assert re.search(r"access_log (off|\S+ study);", server)
    for name in ("remote_ip", "remote_port", "client_ip", "headers"):
        assert f"request>{name} delete\n" in CADDY
    (pattern,) = re.findall(r'request>uri regexp (\S+) ""\n', CADDY)
    assert re.sub(pattern, "", "/?PROLIFIC_PID=5f0aa") == "/"
    assert "header_up -X-Forwarded-For" in CADDY
