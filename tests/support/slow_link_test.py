"""The slow link is slow, and changes nothing but the time."""

import random
import socket
import socketserver
import threading
import time
import unittest

from tests.support.slow_link import SlowLink

PATIENCE = 15


class Echo(socketserver.BaseRequestHandler):
    """Until it is told to stop, or nobody is there."""

    def handle(self):
        try:
            while (data := self.request.recv(65536)) not in (b"", b"stop"):
                self.request.sendall(data)
        except OSError:
            pass  # cut
        self.server.over.set()


class SlowLinkTest(unittest.TestCase):

    def setUp(self):
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo)
        self.server.over = threading.Event()
        self.addCleanup(self.server.server_close)
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        self.addCleanup(thread.join, PATIENCE)
        self.addCleanup(self.server.shutdown)

    def link(self, target=None, **slowness):
        link = SlowLink(target or (lambda: "127.0.0.1:%d" % self.server.server_address[1]),
                        **slowness)
        self.addCleanup(link.close)
        return link

    def connect(self, link):
        host, port = link.address.split(":")
        connection = socket.create_connection((host, int(port)), timeout=PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def echo(self, link, data):
        """What comes back, and after how many seconds."""
        connection = self.connect(link)
        sender = threading.Thread(target=connection.sendall, args=(data,))
        begin = time.monotonic()
        sender.start()
        back = bytearray()
        while len(back) < len(data):
            back += connection.recv(65536)
        seconds = time.monotonic() - begin
        sender.join(PATIENCE)
        return bytes(back), seconds

    def test_what_is_sent_comes_out_in_order_both_ways(self):
        data = random.Random(1).randbytes(1 << 20)
        for slowness in ({}, {"latency": 0.01}, {"bytes_per_second": 1 << 24}):
            with self.subTest(slowness):
                link = self.link(**slowness)
                back, _ = self.echo(link, data)
                self.assertEqual(back, data)
                self.assertEqual(link.passed, [len(data), len(data)])

    def test_it_passes_no_more_bytes_a_second_than_it_may(self):
        _, seconds = self.echo(self.link(bytes_per_second=200_000), bytes(100_000))
        self.assertGreaterEqual(seconds, 0.5)

    def test_each_way_takes_its_latency(self):
        _, seconds = self.echo(self.link(latency=0.2), b"x")
        self.assertGreaterEqual(seconds, 0.4)

    def test_who_comes_before_the_target_is_there_is_turned_away_and_may_come_again(self):
        there = {}
        link = self.link(lambda: there["target"])
        self.assertEqual(self.connect(link).recv(1), b"")
        there["target"] = "127.0.0.1:%d" % self.server.server_address[1]
        self.assertEqual(self.echo(link, b"now")[0], b"now")

    def test_what_was_sent_before_it_left_is_not_lost(self):
        data = random.Random(2).randbytes(1 << 18)
        target = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(target.close)
        target.settimeout(PATIENCE)
        link = self.link(lambda: "127.0.0.1:%d" % target.getsockname()[1],
                         bytes_per_second=1 << 20, latency=0.05)
        connection = self.connect(link)
        came, _ = target.accept()
        self.addCleanup(came.close)
        came.settimeout(PATIENCE)
        connection.sendall(data)
        connection.close()
        received = bytearray()
        while piece := came.recv(65536):
            received += piece
        self.assertEqual(bytes(received), data)

    def test_when_one_end_leaves_the_other_one_hears_it(self):
        link = self.link()
        connection = self.connect(link)
        connection.sendall(b"stop")
        self.assertEqual(connection.recv(1), b"")
        self.server.over.clear()
        connection = self.connect(link)
        connection.close()
        self.assertTrue(self.server.over.wait(PATIENCE))

    def test_closed_it_cuts_what_is_connected(self):
        link = self.link()
        connection = self.connect(link)
        connection.sendall(b"x")
        self.assertEqual(connection.recv(1), b"x")
        link.close()
        try:
            self.assertEqual(connection.recv(1), b"")
        except ConnectionResetError:
            pass
        with self.assertRaises(ConnectionRefusedError):
            self.connect(link)


if __name__ == "__main__":
    unittest.main()
