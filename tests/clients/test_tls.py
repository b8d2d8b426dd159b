"""redis-py over TLS, with a cluster whose nodes speak TLS with each other."""

import pathlib
import ssl

import pytest
import redis
from conftest import NODES, Cluster, run_cluster


class TlsCluster(Cluster):
    def __init__(self, data_dir):
        super().__init__(data_dir, flags=["--tls"])
        self.tls_ports = [port + 1000 for port in self.ports]
        self.certificates = pathlib.Path(data_dir) / "data" / "tls"

    def options(self, certificate="client"):
        """How redis-py is told to use TLS."""
        options = {
            "ssl": True,
            "ssl_ca_certs": str(self.certificates / "ca.crt"),
            "ssl_check_hostname": True,
            "decode_responses": True,
            "socket_timeout": 30,
        }
        if certificate:
            options["ssl_certfile"] = str(self.certificates / f"{certificate}.crt")
            options["ssl_keyfile"] = str(self.certificates / f"{certificate}.key")
        return options

    def tls_client(self, node=0, certificate="client", **options):
        options = {**self.options(certificate), **options}
        return redis.Redis(host="127.0.0.1", port=self.tls_ports[node], **options)


@pytest.fixture(scope="module")
def tls_cluster():
    yield from run_cluster(TlsCluster, "rivermark-tls-")


def test_a_group_is_worked_through(tls_cluster, key, protocol):
    client = tls_cluster.tls_client(0, protocol=protocol)
    client.xgroup_create(key, "g", mkstream=True)
    with client.pipeline(transaction=False) as pipeline:
        for number in range(500):
            pipeline.xadd(key, {"n": number, "filler": "x" * 500})
        ids = pipeline.execute()
    other = tls_cluster.tls_client(1)
    seen = []
    while answer := other.xreadgroup("g", "c", {key: ">"}, count=64):
        entries = answer[0][1]
        seen += [entry_id for entry_id, _ in entries]
        other.xack(key, "g", *(entry_id for entry_id, _ in entries))
    assert seen == ids
    assert client.xpending(key, "g")["pending"] == 0


def test_large_values_pass_both_ways(tls_cluster, key):
    client = tls_cluster.tls_client(2)
    value = "v" * (8 << 20)
    client.xadd(key, {"f": value})
    [(_, fields)] = client.xrange(key)
    assert fields["f"] == value


def test_a_cluster_client_stays_with_tls(tls_cluster, key):
    client = redis.RedisCluster(host="127.0.0.1", port=tls_cluster.tls_ports[0], **tls_cluster.options())
    assert {node.port for node in client.get_nodes()} == set(tls_cluster.tls_ports)
    ids = [client.xadd(f"{key}:{number}", {"n": number}) for number in range(30)]
    assert [client.xrange(f"{key}:{number}")[0][0] for number in range(30)] == ids


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
def test_both_versions_are_spoken(tls_cluster, version):
    client = tls_cluster.tls_client(0, ssl_min_version=version)
    assert client.ping()


def test_no_certificate_no_service(tls_cluster):
    with pytest.raises(redis.ConnectionError):
        tls_cluster.tls_client(0, certificate=None).ping()
    with pytest.raises(redis.ConnectionError):
        redis.Redis(host="127.0.0.1", port=tls_cluster.tls_ports[0], socket_timeout=10).ping()


def test_a_node_dies_and_returns(tls_cluster, key):
    client = tls_cluster.tls_client(0)
    for victim in range(1, NODES):
        ids = [client.xadd(key, {"victim": victim}) for _ in range(50)]
        tls_cluster.kill(victim)
        ids += [client.xadd(key, {"victim": victim}) for _ in range(50)]
        tls_cluster.restart(victim)
        returned = tls_cluster.tls_client(victim)
        assert [entry_id for entry_id, _ in returned.xrange(key)][-100:] == ids
